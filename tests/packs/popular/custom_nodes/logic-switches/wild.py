"""Objects that stand for every type, every input, every output: three tricks that many packs share."""


class AnyType(str):
    def __eq__(self, _):
        return True

    def __ne__(self, _):
        return False

    __hash__ = str.__hash__


any_type = AnyType("*")


class FlexibleOptionalInputType(dict):
    """Takes inputs that its editor script adds, whatever their names."""

    def __init__(self, type, data=None):
        self.type = type
        self.data = data or {}
        super().__init__(self.data)

    def __getitem__(self, key):
        if key in self.data:
            return self.data[key]
        return (self.type,)

    def __contains__(self, key):
        return True


class ByPassTypeTuple(tuple):
    """Outputs beyond the first ones are those of the first."""

    def __getitem__(self, index):
        if isinstance(index, int) and index > 0:
            index = 0
        item = super().__getitem__(index)
        if isinstance(item, str):
            return AnyType(item)
        return item
