"""The settings of how much worse a model may be that takes the champion's place."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings

from detection.promotion_gate import Margins

_DEFAULT = Margins()


class PromotionSettings(BaseSettings):
    """A part of `Settings`."""

    promotion_margin_macro_f1: float = Field(
        _DEFAULT.macro_f1,
        ge=0,
        le=1,
        description="by how much the macro F1 of a promoted model may be below the champion's on each split "
        "of the same labelled flows, 0 to 1; 1: any",
    )
    promotion_margin_recall: float = Field(
        _DEFAULT.recall,
        ge=0,
        le=1,
        description="by how much its share of attacks found may be below the champion's on later flows, 0 to "
        "1; 1: any",
    )
    promotion_margin_false_positives: float = Field(
        _DEFAULT.false_positives,
        ge=0,
        le=1,
        description="by how much its share of benign flows taken for attacks may be above the champion's on "
        "later flows, 0 to 1; 1: any",
    )
    promotion_margin_captures: float = Field(
        _DEFAULT.captures,
        ge=0,
        le=1,
        description="by how much its share of attack flows found in captures of other networks may be below "
        "the champion's, where both were measured on such, 0 to 1; 1: any",
    )

    @property
    def promotion_margins(self) -> Margins:
        """All of them."""
        return Margins(
            macro_f1=self.promotion_margin_macro_f1,
            recall=self.promotion_margin_recall,
            false_positives=self.promotion_margin_false_positives,
            captures=self.promotion_margin_captures,
        )
