"""Asking the processor for memory before it is needed."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core import config as numba_config
from numba.extending import intrinsic

from capture.layout import Number

if getattr(numba_config, "DISABLE_JIT"):  # noqa: B009

    def prefetch(array: Any, at: Number, byte: Number) -> None:
        """Do nothing: interpreted code has no use for it."""

else:

    @intrinsic
    def prefetch(typing_context: Any, array: Any, at: Any, byte: Any) -> Any:
        """Ask for the cache line at `byte` of the element `at`; never fails, whatever is there."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind = signature.args[0]
            view = context.make_array(kind)(context, builder, arguments[0])
            position = context.cast(builder, arguments[1], signature.args[1], types.intp)
            offset = context.cast(builder, arguments[2], signature.args[2], types.intp)
            locate: Any = cgutils.get_item_pointer
            element = locate(context, builder, kind, view, [position], wraparound=False)
            address = builder.gep(builder.bitcast(element, ir.IntType(8).as_pointer()), [offset])
            number = ir.IntType(32)
            shape = ir.FunctionType(ir.VoidType(), [address.type, number, number, number])
            insert: Any = cgutils.get_or_insert_function
            # To be written to, kept in all caches, data.
            builder.call(
                insert(builder.module, shape, "llvm.prefetch.p0"), [address, number(1), number(3), number(1)]
            )
            return context.get_dummy_value()

        return types.void(array, at, byte), generate
