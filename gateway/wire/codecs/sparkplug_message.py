"""The protobuf message of Sparkplug B, fields as the Eclipse specification 3.0.0 numbers them (6.4.1).

Only what is read is described; protobuf passes over other fields. Texts are described as bytes, which look
the same on the wire: publishers write Latin-1 and half characters into them, and one such text would cost
the whole message. Datasets, templates and nested properties are not taken apart and so stay bytes, too.
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

_FIELD = descriptor_pb2.FieldDescriptorProto
_PACKAGE = "forewarn.sparkplug"

_PAYLOAD = (
    ("timestamp", 1, "uint64"),
    ("metrics", 2, "*Metric"),
    ("seq", 3, "uint64"),
)
_METRIC = (
    ("name", 1, "bytes"),
    ("alias", 2, "uint64"),
    ("timestamp", 3, "uint64"),
    ("datatype", 4, "uint32"),
    ("is_historical", 5, "bool"),
    ("is_null", 7, "bool"),
    ("properties", 9, "Properties"),
    ("int_value", 10, "uint32"),
    ("long_value", 11, "uint64"),
    ("float_value", 12, "float"),
    ("double_value", 13, "double"),
    ("boolean_value", 14, "bool"),
    ("string_value", 15, "bytes"),
    ("bytes_value", 16, "bytes"),
    ("dataset_value", 17, "bytes"),
    ("template_value", 18, "bytes"),
)
_PROPERTIES = (("keys", 1, "*bytes"), ("values", 2, "*Property"))
_PROPERTY = (
    ("type", 1, "uint32"),
    ("is_null", 2, "bool"),
    ("int_value", 3, "uint32"),
    ("long_value", 4, "uint64"),
    ("string_value", 8, "bytes"),
)
_MESSAGES = {"Payload": _PAYLOAD, "Metric": _METRIC, "Properties": _PROPERTIES, "Property": _PROPERTY}


def _described() -> Any:
    """Return the class of the message.

    Values are described as plain fields instead of a ``oneof``: which of them is there can be asked all
    the same, and a publisher that writes two does not lose the metric.
    """
    file = descriptor_pb2.FileDescriptorProto(name="sparkplug_b.proto", package=_PACKAGE, syntax="proto2")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind in fields:
            bare = kind.removeprefix("*")
            label = _FIELD.LABEL_REPEATED if kind.startswith("*") else _FIELD.LABEL_OPTIONAL
            added = message.field.add(name=field, number=number, label=label)
            if bare in _MESSAGES:
                added.type, added.type_name = _FIELD.TYPE_MESSAGE, f".{_PACKAGE}.{bare}"
            else:
                added.type = _FIELD.Type.Value(f"TYPE_{bare.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Payload"))


Payload: Any = _described()

__all__ = ["DecodeError", "Payload"]
