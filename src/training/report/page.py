"""The report as a page of Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from flows.labels import BY_CODE
from training.cleaning import DUPLICATE
from training.evaluation import HEADLINE_ROWS
from training.markdown import bullets, paragraph, table
from training.report.audit import LIMIT, Separation
from training.report.disputed import BESIDE_US
from training.report.learning import ablation_section, folder_of, unseen_section
from training.report.listing import listing_section
from training.report.mistakes import Mistake
from training.report.plots import picture_of_confusion
from training.report.split_study import Measured
from training.report.study import CROSS_NETWORK, IDENTITY, KindStudy, Report
from training.report.tables import alarms_table, classes_table, points_table, splits_table
from training.report.tradeoff import HEADLINES, Point
from training.splits import BLOCK_US, Split

SHOWN: Final = 20

HOW: Final = {
    str(Split.RANDOM): "A random 70 % of every class is for training: near twins of test flows are among it.",
    str(
        Split.GROUPED
    ): f"""Flows of one host pair that start in the same {BLOCK_US // 60_000_000} minutes are all
        for training or all for testing. Classes of one such group have no test flow.""",
    str(Split.TIME_ORDERED): "The first 70 % of every class are for training, what came later for testing.",
}


def page(report: Report) -> str:
    """Return the page's text, what matters most first."""
    parts = [
        "# Evaluation",
        *_head(report),
        *_captures(report),
        *ablation_section(report),
        *unseen_section(report),
        *_compared(report),
        *_classes(report.default),
        *_pictures(report.default),
        *_importance(report),
        *_audit(report.separations),
        *_port(report),
        *_mistakes(report),
    ]
    return "\n\n".join(parts) + "\n"


def _head(report: Report) -> list[str]:
    data, found = report.data, report.default
    dropped = ", ".join(f"{count:,} {reason}" for reason, count in data.dropped.items()) or "none"
    makers = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    return [
        paragraph(
            f"""`ml-ids evaluate --all` made this page from {", ".join(data.sources)}: {data.rows_read:,}
            rows, of which {data.rows:,} were used (dropped: {dropped}), dialect `{data.dialect}`, sha256
            `{data.sha256[:16]}`. The model in question: {found.title}
            (`{found.kind}`{_params(found)}){_beside(report)}; beside it a plain random forest of 100 trees,
            fitted on these flows alone. Made with {makers}. All figures are in [report.json](report.json)."""
        ),
        "## Four splits",
        paragraph(
            f"""Figures in brackets are 95 % intervals: Wilson's of shares, the bootstrap's of F1. Classes
            with fewer than {HEADLINE_ROWS} test flows are reported, but have no part in the first macro F1.
            Attack recall and false positives are those of the most probable class; `recall at 0.1 %` is the
            most attacks that any threshold flags which flags 0.1 % of the benign test flows."""
        ),
        splits_table(found, report.baseline),
        paragraph(_disputed(found)),
        bullets(f"{split}: {HOW[split]}" for split in (str(each) for each in Split)),
        *([_skipped(found)] if found.skipped else []),
        *_repeated(report),
        "## At the operating threshold",
        paragraph(
            """The threshold of each split was chosen on its training flows alone: another model, fitted on
            80 % of them, flags at most 0.1 % of the benign ones of the rest. The false alarms a day are
            those of so many benign flows a second, before alerts are grouped."""
        ),
        alarms_table([each for each in found.splits if each.threshold_known]),
    ]


def _beside(report: Report) -> str:
    if report.beside is None:
        return ""
    return f""", which learns from {report.beside.rows:,} flows of {folder_of(report.beside)} too (sha256
        `{report.beside.sha256[:16]}`)"""


def _disputed(found: KindStudy) -> str:
    counts = ", ".join(f"{each.disputed} in the {each.on}" for each in found.splits)
    return f"""Undisputed are all flows but the benign ones between two hosts of which one attacked the other
        within {BESIDE_US // 1_000_000} s ({counts}). Among these are answers to port scans, from the scanned
        port to the scanner's, that the data call benign and a detector of scans calls scans: a handful, and
        0.1 % of the benign test flows are a handful too."""


def _repeated(report: Report) -> list[str]:
    if not report.repeated:
        return []
    rows = [
        [
            each.on,
            study.kind,
            f"{each.evaluation.test_rows:,}",
            f"{each.evaluation.headline_f1:.4f}",
            f"{each.evaluation.macro_f1:.4f}",
            f"{each.evaluation.attacks_called:.2%}",
            f"{each.evaluation.benign_called:.2%}",
            f"{each.curves.recall_at_allowed:.2%}",
            f"{each.recall_undisputed:.2%}",
        ]
        for on in (str(Split.RANDOM), str(Split.TIME_ORDERED))
        for study in report.repeated
        if (each := study.on(on))
    ]
    head = ["split", "estimator", "test flows", f"macro F1, n >= {HEADLINE_ROWS}", "all classes"]
    head += ["attack recall", "false positives", "recall at 0.1 %", "of undisputed flows"]
    return [
        "### With the rows that repeat others",
        paragraph(
            f"""{report.data.dropped.get(DUPLICATE, 0):,} rows equal an earlier one in every feature and the
            class, and had no part above. Most are probes of a scan: other flows, of other ports and times,
            which no model can tell apart. Here they count, each as the flow it was: what a sensor meets, but
            of a random split both halves hold the same rows."""
        ),
        table(head, rows),
    ]


def _params(found: KindStudy) -> str:
    return "".join(f", {name} {value}" for name, value in found.params.items())


def _skipped(found: KindStudy) -> str:
    return bullets(f"Not measured: {reason}" for reason in found.skipped.values())


def _captures(report: Report) -> list[str]:
    found, plain = report.default, report.baseline
    if not found.captures:
        return ["## Captures of other networks", "No captures were given (`--captures`)."]
    at = [point for point in found.captures if point.allowed in HEADLINES]
    plain_at = [point for point in plain.captures if point.allowed in HEADLINES]
    return [
        "## Captures of other networks",
        paragraph(
            f"""{found.captures[0].attack_captures} captures of attacks and
            {found.captures[0].benign_captures} of benign traffic, metered by this project and judged by
            a model fitted on all labelled flows. No source has a say in its own threshold: the captures of
            one are judged at the lowest threshold that flags the allowed share of the benign flows of all
            others. The benign flows flagged are what then came of it. Of an attack capture count the flows
            that its label rules call an attack, or all where it has none. The mean over captures comes first:
            three captures hold half of the attack flows. Intervals come of drawing sources anew, and captures
            within them; few
            sources make them wide."""
        ),
        f"### {found.kind}",
        points_table([*([found.label] if found.label else []), *at]),
        "### Plain forest",
        points_table([*([plain.label] if plain.label else []), *plain_at]),
        f"### {found.kind}, flows of one packet or no duration not judged",
        points_table([point for point in found.served if point.allowed in HEADLINES]),
        "### The whole trade-off",
        "![captures](captures.png)",
        points_table(found.captures),
        *listing_section(found.listed),
    ]


def _compared(report: Report) -> list[str]:
    studies = [report.default, report.baseline, *report.compared]
    if not report.compared and not report.failed:
        return []
    rows = []
    for each in studies:
        random, later = each.on(str(Split.RANDOM)), each.on(str(Split.TIME_ORDERED))
        point = next((one for one in each.captures if one.allowed == HEADLINES[-1]), None)
        rows.append([each.kind, *_brief(random), *_brief(later), *_found(point), *_seconds(random)])
    head = [
        *("estimator", "random: macro F1", "recall at 0.1 %", "time-ordered: macro F1", "recall at 0.1 %"),
        *("captures at 1 %: mean", "flows", "benign flagged", "fit, s"),
    ]
    failed = [f"{name}: {reason}" for name, reason in report.failed.items()]
    return [
        "## Estimators",
        paragraph(
            """Macro F1 over all classes; novelty detectors are fitted on benign flows alone and tell attack
            from benign, no more. Captures: every flow judged."""
        ),
        table(head, rows),
        *([bullets(failed)] if failed else []),
    ]


def _brief(each: Measured | None) -> list[str]:
    if each is None:
        return ["-", "-"]
    return [f"{each.evaluation.macro_f1:.4f}", f"{each.curves.recall_at_allowed:.2%}"]


def _found(point: Point | None) -> list[str]:
    if point is None:
        return ["-"] * 3
    return [f"{share.value:.1%}" for share in (point.mean_share, point.attack_share, point.benign_share)]


def _seconds(each: Measured | None) -> list[str]:
    return ["-" if each is None else f"{each.seconds:.0f}"]


def _classes(found: KindStudy) -> list[str]:
    parts = [
        "## Classes",
        paragraph(
            f"""\\* fewer than {HEADLINE_ROWS} test flows: mind the interval. + not among the training flows.
            `-` no test flow."""
        ),
    ]
    for each in (*found.splits, *found.elsewhere):
        parts += [f"### {each.on}", classes_table(each.evaluation)]
        if each.on == CROSS_NETWORK:
            parts.append("The captures' flows, attack or benign, at even odds; curves below.")
    return parts


def _pictures(found: KindStudy) -> list[str]:
    measured = (*found.splits, *found.elsewhere)
    rows = [
        [
            each.on,
            f"{each.curves.average_precision:.4f}",
            f"{each.curves.roc_auc:.4f}",
            f"{each.curves.brier:.4f}",
            f"{each.curves.calibration_error:.4f}",
        ]
        for each in measured
    ]
    return [
        "## Curves",
        table(["on", "average precision", "ROC area", "Brier", "calibration error"], rows),
        "![precision and recall](precision_recall.png)",
        "![ROC](roc.png)",
        "![calibration](calibration.png)",
        *(f"![confusion, {each.on}]({picture_of_confusion(each.on)})" for each in found.splits),
    ]


def _importance(report: Report) -> list[str]:
    rows = [
        [
            each.feature,
            f"{each.permuted:.4f} ± {each.spread:.4f}",
            "-" if each.built_in is None else f"{each.built_in:.4f}",
        ]
        for each in report.importance[:SHOWN]
    ]
    return [
        "## Importance of features",
        paragraph(
            """By how much macro F1 falls when a feature is shuffled among later flows, classes alike, and the
            feature's share of the model's own importance. Features that say the same stand in for each
            other."""
        ),
        table(["feature", "fall", "built in"], rows),
        "![importance](importance.png)",
    ]


def _audit(found: Sequence[Separation]) -> list[str]:
    classes = sorted({each.code for each in found})
    rows = []
    for code in classes:
        of_class = [each for each in found if each.code == code]
        features = [each for each in of_class if each.column not in IDENTITY]
        leaks = [
            f"`{each.column}` {each.balanced_accuracy:.3f}" for each in of_class if each.column in IDENTITY
        ]
        best = [f"`{each.column}` {each.balanced_accuracy:.3f}" for each in features[:3]]
        rows.append(
            [
                BY_CODE[code].name + (" *" if of_class[0].n < HEADLINE_ROWS else ""),
                f"{of_class[0].n:,}",
                str(len(features)),
                ", ".join(best) or "-",
                ", ".join(leaks) or "-",
            ]
        )
    return [
        "## Single columns",
        paragraph(
            f"""Columns of which one cut separates a class from all other flows with a balanced accuracy above
            {LIMIT}, and the best of them. Where one suffices, a model may have learned how this data set was
            made. Port and start are never read by a model: they say when and where the attack was made."""
        ),
        table(["class", "n", "features", "the best", "port, start"], rows),
    ]


def _port(report: Report) -> list[str]:
    rows = [
        [
            each.on,
            *(f"{one.evaluation.macro_f1:.4f}" for one in (each.without, each.with_port)),
            *(f"{one.curves.average_precision:.4f}" for one in (each.without, each.with_port)),
        ]
        for each in report.port
    ]
    if not rows:
        return ["## The destination port", "The flows have no ports."]
    return [
        "## The destination port",
        paragraph(
            """A plain forest without and with the destination port as a feature. What the port adds on the
            splits and not on another network is the data set's, not the attacks'. No model here reads it."""
        ),
        table(
            ["on", "macro F1 without", "with", "average precision without", "with"],
            rows,
        ),
    ]


def _mistakes(report: Report) -> list[str]:
    parts = [
        "## Misclassified flows",
        paragraph(
            """What was taken for what, most often first, with the flows the model was most certain about: the
            row in the order of start, and the features farthest from their class's median, in spans between
            its quartiles."""
        ),
    ]
    for split, found in report.mistakes.items():
        parts += [
            f"### {split}",
            table(["class", "label given", "flows", "samples"], map(_mistake_row, found)),
        ]
    return parts


def _mistake_row(each: Mistake) -> list[str]:
    samples = "; ".join(
        f"row {sample.row} (P {sample.p_given:.2f}: "
        + ", ".join(f"`{name}` {value:+.3g}" for name, value in sample.unlike.items())
        + ")"
        for sample in each.samples
    )
    names = [BY_CODE[code].name for code in (each.code, each.given)]
    return [*names, f"{each.rows:,} of {each.of_class:,}", samples]
