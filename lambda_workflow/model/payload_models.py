"""The shape of pydantic models and of pydantic's dataclasses.

1. Every field is written by the shape of its type, so that a wrong attribute is refused with its
   path. Reading is pydantic's: it validates the JSON, in which those fields that its JSON mode
   does not carry (bytes, sets, open unions, untyped values…) were read by their own shapes before.
2. Where code or constraints of the model's own could change or refuse what is given back to it,
   what is written is read and compared before it is accepted.
3. A field with a serializer or a validator type of its own (`PlainSerializer`, `Base64Bytes`) is
   left to pydantic alone, under law 2; so is an excluded one, which must come back by its default.
4. A private attribute comes back as the model makes it, so one of another value is refused. Which
   fields were set is not kept: on the way back all of them count as set.
5. The JSON has the aliases if reading takes them, the field names otherwise; reading takes both.
   Computed fields are not written: they are computed again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from lambda_workflow.errors import WorkflowError
from lambda_workflow.model.payload_compare import Beyond, difference
from lambda_workflow.model.payload_foreign import refused_by
from lambda_workflow.model.payload_generics import field_annotation
from lambda_workflow.model.payload_model_plan import Plan
from lambda_workflow.model.payload_refused import Mismatch, Refused
from lambda_workflow.model.payload_shape import ANY_JSON, RANK_USUAL, ShapeOf, label_of
from lambda_workflow.model.payload_shown import words_of_error
from lambda_workflow.model.payload_text import Json, plain

_DICT: Final = frozenset({dict})


class Model:
    """A pydantic model or pydantic dataclass."""

    rank = RANK_USUAL

    def __init__(self, cls: Any) -> None:
        self.label = label_of(cls)
        self._cls = cls
        self._plan = plan = Plan(cls)
        # mypy infers Box[int] of Box(item=1), which is a Box.
        origin = getattr(cls, "__pydantic_generic_metadata__", {}).get("origin")
        self.value_types = frozenset({cls, origin or cls})
        self.emits = self.accepts = ANY_JSON if plan.writes_any_json else _DICT
        is_model = hasattr(cls, "model_fields")
        if plan.takes_extra and not is_model:
            raise Refused(
                f"{self.label} cannot be a payload: a dataclass gives back no extra values"
            )
        self._is_quick = is_model and not plan.takes_extra
        self._has_private = bool(getattr(cls, "__private_attributes__", None))
        self._must_verify = plan.must_verify or self._has_private
        self._beyond = None if is_model else Beyond(cls, plan.fields)
        self.keys = frozenset(key for keys in plan.keys.values() for key in keys)

    def link(self, shape_of: ShapeOf) -> None:
        """Find the shapes of the fields."""
        plan = self._plan
        self._encoders: list[tuple[str, str, Callable[[Any], Json]]] = []
        self._decoders: list[tuple[str, Callable[[Json], Any]]] = []
        for name in plan.fields:
            if name in plan.left:
                continue
            try:
                shape = shape_of(field_annotation(self._cls, name))
            except Refused as refused:
                refused.inside(f".{name}")
                raise
            self._encoders.append((name, plan.key(name), shape.encode))
            if not plan.carries(name):
                self._decoders += [(key, shape.decode) for key in plan.keys[name]]
        self._dump = self._cls.__pydantic_serializer__.to_python
        self._validate = self._cls.__pydantic_validator__.validate_python
        name = "model_config" if hasattr(self._cls, "model_config") else "__pydantic_config__"
        config = getattr(self._cls, name, None) or {}
        self._hides_input = bool(config.get("hide_input_in_errors"))

    def encode(self, value: Any) -> Json:
        """An object of the fields; whatever the root is, for a RootModel."""
        if type(value) not in self.value_types:
            raise Mismatch(value, self.label)
        out = self._written(value)
        if self._plan.left or self._plan.takes_extra:
            out = self._with_the_rest(value, out)
        if self._plan.is_root:
            out = out["root"]
        if self._beyond is not None and not self._must_verify:
            self._beyond.check(value)
        if self._must_verify:
            self._verify(out, value)
        return out

    def decode(self, value: Json) -> Any:
        """What pydantic validates."""
        if self._plan.keeps_input:
            value = plain(value)
        if self._decoders:
            value = self._own_decoded(value)
        try:
            return self._validate(value, by_alias=True, by_name=True)
        except WorkflowError:
            raise
        except Exception as error:
            raise refused_by(error, self.label, hidden=self._hides_input) from error

    def _verify(self, out: Json, value: Any) -> None:
        back = self.decode(out)
        if self._is_quick and back.__dict__ == value.__dict__ and not self._has_private:
            return
        # A cached property, a zone's repeated hour: the fields and the private attributes decide.
        if (changed := difference(back, value)) is not None:
            raise changed

    def _written(self, value: Any) -> dict[str, Json]:
        out: dict[str, Json] = {}
        name = ""
        try:
            for name, key, encode in self._encoders:
                out[key] = encode(getattr(value, name))
        except Refused as refused:
            refused.inside(f".{name}")
            raise
        except AttributeError:
            raise Refused(f"missing: this {self.label} lacks it").inside(f".{name}") from None
        return out

    def _with_the_rest(self, value: Any, out: dict[str, Json]) -> Any:
        """What pydantic alone can write."""
        plan = self._plan
        own = {name for name, _, _ in self._encoders}
        try:
            rest = self._dump(
                value,
                mode="json",
                exclude=own,
                round_trip=True,
                by_alias=plan.by_alias,
                warnings=False,
            )
        except WorkflowError:
            raise
        except Exception as error:
            raise Refused(
                f"{self.label} cannot be written as JSON: {words_of_error(error)}"
            ) from error
        if plan.writes_any_json:
            return {"root": plain(rest)} if plan.is_root else plain(rest)
        return out | plain(rest)

    def _own_decoded(self, value: Json) -> Any:
        if self._plan.is_root:
            return self._decoders[0][1](value)
        if type(value) is not dict:
            raise Mismatch(value, self.label)
        out = dict(value)
        for key, decode in self._decoders:
            if key in out:
                try:
                    out[key] = decode(out[key])
                except Refused as refused:
                    refused.inside(f".{key}")
                    raise
        return out
