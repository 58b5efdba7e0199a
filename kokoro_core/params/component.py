"""`ComponentParams`: a params class is the registration, the schema and the builder of a component.

Its base class determines the slot, its field ``type`` the name, its docstring the description, its
other fields the settings, its ``build`` the module. The registry reaches validation through the
validation context, so that no global table determines what a name means.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Self, TypeVar, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
    ValidationInfo,
)
from pydantic_core import InitErrorDetails, PydanticCustomError
from pydantic_core import core_schema as cs

from kokoro_core.params.capabilities import Capabilities
from kokoro_core.params.features import Feature
from kokoro_core.params.options import Option
from kokoro_core.params.sizes import Sizes
from registry import ComponentRegistry, Slot
from registry.errors import AmbiguousComponent, InvalidComponent, UnknownComponent, in_other_slots
from registry.text import closest, one_line, shorten, suggestion

T = TypeVar("T")

Seq = Annotated[tuple[T, ...], Field(strict=False)]
"""A sequence in a spec: a list in the file, a tuple in Python."""


class StrictModel(BaseModel):
    """The configuration of all models of a spec: no unknown fields, no coercion, no mutation."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, defer_build=True
    )


class ComponentParams(StrictModel, frozen=True):  # said once more, so that editors know it too
    """The base class of every component's settings.

    A slot's base class names the slot: ``class EncoderParams(ComponentParams, slot="encoder")``. A
    component derives from it and gives its name: ``type: Literal["transformer"] = "transformer"``.

    Attributes:
        takes: For each input with a width (``hidden``, ``memory``, ``mel``) the field that
            sets it. A field that is None takes the spec's width; a component without the field
            takes the width of its input and passes it on.
        gives: The same for the outputs.
    """

    slot: ClassVar[str] = ""
    component_name: ClassVar[str | None] = None
    takes: ClassVar[Mapping[str, str]] = {}
    gives: ClassVar[Mapping[str, str]] = {}
    defines_slot: ClassVar[bool] = False

    type: str

    def __init_subclass__(cls, slot: str | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.defines_slot = slot is not None
        if slot is not None:
            cls.slot = slot

    @classmethod
    def __pydantic_init_subclass__(cls, slot: str | None = None, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        default = cls.model_fields["type"].default
        if default in get_args(cls.model_fields["type"].annotation):
            cls.component_name = default

    @property
    def needs(self) -> frozenset[str]:
        """Names of the side inputs that it takes by keyword (``speaker``, ``plan`` …)."""
        return frozenset()

    @property
    def features(self) -> Mapping[str, Feature]:
        """What its side inputs are that the corpus or the caller gives, by name.

        A name in `needs` that is not here is always required, and its form unknown.
        """
        return {}

    @property
    def options(self) -> Mapping[str, Option]:
        """The numbers with which it speaks, by name; it gets them by keyword, never in training."""
        return {}

    @property
    def feeds(self) -> frozenset[str]:
        """Names of the side inputs that it computes for the components in its settings."""
        return frozenset()

    @property
    def reads_encoder_output(self) -> bool:
        """Whether it takes an `EncoderOutput` from an encoder in its settings, or only a tensor."""
        return False

    def sizes_of(self, field: str, sizes: Sizes) -> Sizes:
        """Return the sizes with which it builds the component in one of its settings.

        Args:
            field: The setting that holds the component, or a list of components.
            sizes: The sizes that it is built with itself.
        """
        return sizes

    @property
    def capabilities(self) -> Capabilities:
        """The component's capabilities with these settings, for the conformance kit."""
        return Capabilities()

    @classmethod
    def tiny(cls) -> Mapping[str, Mapping[str, Any]]:
        """Return the settings of small configurations for the conformance kit, by variant.

        Settings with usual names (``num_layers``, ``dropout`` …) that a variant leaves out are made
        small by the kit.
        """
        return {"": {}}

    def cross_check(self, sizes: Sizes) -> Iterable[tuple[str, str]]:
        """Yield (field, message) for each violated rule between fields and sizes."""
        return ()

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> cs.CoreSchema:
        if not cls.defines_slot:
            return handler(source)
        return cs.with_info_plain_validator_function(
            cls._dispatch,
            serialization=cs.plain_serializer_function_ser_schema(_dump_by_runtime_type),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: cs.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        if not cls.defines_slot:
            return handler(schema)
        return {"x-slot": cls.slot}

    @classmethod
    def _dispatch(cls, value: Any, info: ValidationInfo) -> Self:
        """Validate a mapping as the component that its ``type`` names."""
        if isinstance(value, cls):
            return value
        registry = (info.context or {}).get("registry")
        if not isinstance(value, Mapping):
            raise PydanticCustomError(
                "not-a-component",
                "expected a mapping with the key 'type', for example {example}",
                {"example": f"{{type: {_meant_name(registry, cls.slot, value)}}}"},
            )
        if registry is None:
            raise PydanticCustomError(
                "needs-registry",
                "a mapping needs `load_spec`; in Python pass an instance of a `{base}`",
                {"base": cls.__name__},
            )
        concrete = cls._find(value, registry)
        known = {**value, "type": concrete.model_fields["type"].default}
        try:
            return concrete.model_validate(known, context=info.context)
        except ValidationError:
            raise
        except Exception as error:  # default factories and validators are third-party code
            said = (
                f"{owner_of(concrete, registry)} raised {type(error).__name__}: {one_line(error)}"
            )
            message = f"{said} when its settings were read"
            raise PydanticCustomError("plugin-raised", "{message}", {"message": message}) from error

    @classmethod
    def _find(cls, value: Mapping[str, Any], registry: ComponentRegistry) -> builtins.type[Self]:
        if "type" not in value:
            raise PydanticCustomError(
                "no-type",
                "the {slot} needs the key 'type'; available: {listed}",
                {
                    "slot": cls.slot,
                    "listed": ", ".join(registry.names(cls.slot)) or "none",
                    "names": registry.names(cls.slot),
                },
            )
        try:
            return registry.get(Slot(cls.slot, cls), value["type"])
        except (UnknownComponent, AmbiguousComponent, InvalidComponent, TypeError) as error:
            raise _unknown_type(cls, value["type"], registry, error) from None


def declared(component: ComponentParams, name: str, default: Any) -> Any:
    """Return what a component declares by a name that version 2 of the contracts introduced.

    One that has a setting of that name was written before, and declares nothing by it.
    """
    return default if name in type(component).model_fields else getattr(component, name)


Params = TypeVar("Params", bound=ComponentParams)


def params_from(kind: type[Params], settings: Mapping[str, Any]) -> Params:
    """Return the params of a component that is named outside a spec, for example by an option.

    Raises:
        ValueError: Settings are wrong; the message lists all of them in one line.
    """
    try:
        return kind.model_validate(dict(settings))
    except ValidationError as error:
        wrong = [
            f"`{'.'.join(map(str, each['loc']))}`: {each['msg']}, "
            f"not {shorten(repr(each['input']))}"
            for each in error.errors(include_url=False)
        ]
        raise ValueError(
            f"The {kind.slot} `{kind.component_name}` refuses {'; '.join(wrong)}."
        ) from None


def owner_of(cls: builtins.type[ComponentParams], registry: ComponentRegistry | None = None) -> str:
    """Return a class as errors name it: by its plugin if that is known, else by its package."""
    found = registry.registration(cls) if registry is not None else None
    if found is not None:
        return f"the plugin '{found.plugin}' ({found.distribution} {found.version})"
    return f"the {cls.slot} '{cls.component_name}' of `{cls.__module__.partition('.')[0]}`"


def _meant_name(registry: ComponentRegistry | None, slot: str, value: Any) -> str:
    """Return the name of the component that a value may mean, or the first name."""
    names = registry.names(slot) if registry is not None else ()
    known = isinstance(value, str) and registry is not None and slot in registry.slots_of(value)
    if known:
        return str(value)
    close = closest(value, names) if isinstance(value, str) else None
    return close or next(iter(names), "…")


def _unknown_type(
    cls: builtins.type[ComponentParams], got: Any, registry: ComponentRegistry, error: Exception
) -> ValidationError:
    """Return the error for an unknown ``type``, located at the key ``type``."""
    names = registry.names(cls.slot)
    hint = in_other_slots(registry.slots_of(got)) or suggestion(got, names) or ";"
    shown = shorten(repr(got))
    message = f"no {cls.slot} is named {shown}{hint} available: {', '.join(names) or 'none'}"
    if isinstance(error, (AmbiguousComponent, InvalidComponent)):
        message = str(error)
    problem = PydanticCustomError(
        "ambiguous-type" if isinstance(error, AmbiguousComponent) else "unknown-type",
        "{message}",
        {"message": message, "names": names},
    )
    detail = InitErrorDetails(type=problem, loc=("type",), input=got)
    return ValidationError.from_exception_data(cls.__name__, [detail])


def _dump_by_runtime_type(value: ComponentParams) -> dict[str, Any]:
    """Dump a component with the fields of its own class, not only those of the base class."""
    return value.model_dump(mode="json")
