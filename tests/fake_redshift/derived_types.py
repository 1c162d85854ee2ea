"""The types of computed DECIMALs and of literals, derived as Redshift derives them.

PostgreSQL's analysis of a statement resolves each column, function and operator. But it yields only
NUMERIC and TEXT, where Redshift has a precision, a scale, a length.

The rules are those of https://docs.aws.amazon.com/redshift/latest/dg/r_numeric_computations201.html
and of the functions' pages. An expression without a rule keeps PostgreSQL's type.
"""

from collections.abc import Iterator
from typing import NamedTuple

from .node_tree import Node, read, unescape

_MOST_DIGITS = 38
_MOST_DIGITS_OF_64_BITS = 19
_LEAST_SCALE_OF_DIVISION = 4
_LONGEST_VARCHAR = 65535
# The oids of PostgreSQL's types, which never change.
_NUMERIC, _VARCHAR, _TEXT, _UNKNOWN = "1700", "1043", "25", "705"
_STRINGS = {_VARCHAR, _TEXT, _UNKNOWN}

# Functions, aggregates and the functions behind operators, by how their result gets its type.
_SAME = {
    *("min", "max", "any_value", "lag", "lead", "first_value", "last_value", "nth_value"),
    *("abs", "numeric_uminus", "numeric_uplus"),
}
_ROUNDING = {"ceil", "ceiling", "floor", "round", "trunc"}
_ARITHMETIC = {"numeric_add", "numeric_sub", "numeric_mul", "numeric_div"}
_OTHERS = {"sum", "avg", "sign", "numeric", "operand"}
FUNCTIONS = f"""
    select oid::text, proname::text from pg_proc
    where proname in {tuple(sorted(_SAME | _ROUNDING | _ARITHMETIC | _OTHERS))!r}
        and pronamespace in ('pg_catalog'::regnamespace, 'pg_redshift'::regnamespace)
"""


class Numeric(NamedTuple):
    precision: int
    scale: int

    @property
    def sql(self) -> str:
        return f"numeric({self.precision},{self.scale})"


class Varchar(NamedTuple):
    size: int

    @property
    def sql(self) -> str:
        return f"varchar({self.size})"


Type = Numeric | Varchar | None


class Column(NamedTuple):
    """A column of a query; type is None if PostgreSQL's type is right."""

    name: str
    type: Type


_INTEGERS = {"21": Numeric(5, 0), "23": Numeric(10, 0), "20": Numeric(19, 0)}


def computed(function: str, a: Numeric, b: Numeric) -> Numeric:
    """The type of a sum, difference, product or quotient."""
    if function == "numeric_div":
        scale = max(_LEAST_SCALE_OF_DIVISION, a.scale + b.precision - b.scale + 1)
        precision = a.precision - a.scale + b.scale + scale
        if precision > _MOST_DIGITS:
            scale = max(_MOST_DIGITS + scale - precision, _LEAST_SCALE_OF_DIVISION)
    elif function == "numeric_mul":
        scale, precision = a.scale + b.scale, a.precision + b.precision + 1
    else:
        scale = max(a.scale, b.scale)
        precision = max(a.precision - a.scale, b.precision - b.scale) + 1 + scale
    return Numeric(min(precision, _MOST_DIGITS), min(scale, _MOST_DIGITS))


def common(types: list[Type]) -> Type:
    """The common type that UNION, CASE, COALESCE and the like give these types.

    AWS limits the precision to 19. That cannot apply to DECIMALs of more digits, such as every
    SUM, whose values would not fit.
    """
    if types and all(isinstance(t, Varchar) for t in types):
        return max(types)
    if not types or not all(isinstance(t, Numeric) for t in types):
        return None
    scale = max(t.scale for t in types)
    precision = max(t.precision - t.scale for t in types) + scale
    is_small = all(t.precision <= _MOST_DIGITS_OF_64_BITS for t in types)
    return Numeric(min(precision, _MOST_DIGITS_OF_64_BITS if is_small else _MOST_DIGITS), scale)


class DerivedTypes:
    """The types of one statement.

    tree: the result of PostgreSQL's analysis. functions: the names of functions by oid, as the
    query FUNCTIONS returns them.
    """

    def __init__(self, tree: str, functions: dict[str, str]) -> None:
        self._functions = functions
        self._query: Node = read(tree)[0][0]
        self._known: dict[int, Type] = {}

    def columns(self) -> list[Column]:
        """The columns of a query."""
        columns = []
        for target in self._query.get("targetList", []):
            if target.get("resjunk") == "true":
                continue
            kind = None
            if _oid(target["expr"]) not in _INTEGERS and _modifier(target["expr"]) is None:
                kind = self._column(self._query, int(target["resno"]), [self._query])
            columns.append(Column(unescape(target["resname"]), kind))
        return columns

    def scales(self) -> dict[int, int]:
        """The scales of divisions and averages, by the number of the operand."""
        found: dict[int, set[int | None]] = {}
        for number, kind in self._marked(self._query, []):
            found.setdefault(number, set()).add(kind.scale if isinstance(kind, Numeric) else None)
        return {
            number: scale
            for number, scales in found.items()
            if len(scales) == 1 and (scale := scales.pop()) is not None
        }

    def _marked(self, value: object, queries: list[Node]) -> Iterator[tuple[int, Type]]:
        if isinstance(value, list):
            for item in value:
                yield from self._marked(item, queries)
        if not isinstance(value, dict):
            return
        if value["kind"] == "QUERY":
            queries = [*queries, value]
        elif self._name(value) in ("numeric_div", "avg") and _oid(value) == _NUMERIC:
            number = self._number(_arguments(value)[-1])
            if number is not None:
                yield number, self._type(value, queries)
        for field in value.values():
            yield from self._marked(field, queries)

    def _number(self, node: Node) -> int | None:
        while node["kind"] == "FUNCEXPR" and (arguments := _arguments(node)):
            if self._name(node) == "operand":
                return _integer(arguments[0])
            node = arguments[0]
        return None

    def _name(self, node: Node) -> str:
        for field in ("funcid", "opfuncid", "aggfnoid", "winfnoid"):
            if field in node:
                return self._functions.get(node[field], "")
        return ""

    def _type(self, node: Node, queries: list[Node]) -> Type:
        if id(node) not in self._known:
            self._known[id(node)] = None  # A recursive query asks for its own type.
            self._known[id(node)] = self._derive(node, queries)
        return self._known[id(node)]

    def _derive(self, node: Node, queries: list[Node]) -> Type:
        oid = _oid(node)
        if oid in _INTEGERS:
            return _INTEGERS[oid]
        if node["kind"] == "SUBLINK":
            return self._subquery(node, queries)
        if oid != _NUMERIC and oid not in _STRINGS:
            return None
        modifier = _modifier(node)
        if modifier is not None:
            if oid == _NUMERIC:
                return Numeric(modifier >> 16, modifier & 0x7FF)
            return Varchar(modifier)
        kind = node["kind"]
        if kind == "CONST":
            return _constant(node, oid)
        if kind == "VAR":
            return self._variable(node, queries)
        if kind == "CASEEXPR":
            results = [when["result"] for when in node["args"]]
            return self._common([*results, node.get("defresult")], queries)
        if kind in ("COALESCEEXPR", "MINMAXEXPR"):
            return self._common(node["args"], queries)
        if kind == "NULLIFEXPR":
            return self._type(node["args"][0], queries)
        if kind in ("RELABELTYPE", "COLLATEEXPR"):
            return self._type(node["arg"], queries)
        return self._call(node, queries)

    def _call(self, node: Node, queries: list[Node]) -> Type:
        name, arguments = self._name(node), _arguments(node)
        if not name or not arguments:
            return None
        if name == "operand":
            return self._type(arguments[1], queries)
        if name in _SAME:
            return self._common([arguments[0], *arguments[2:]], queries)
        first = self._type(arguments[0], queries)
        if not isinstance(first, Numeric):
            return None
        if name in _ARITHMETIC:
            second = self._type(arguments[1], queries)
            return computed(name, first, second) if isinstance(second, Numeric) else None
        if name in ("sum", "avg"):
            return Numeric(_MOST_DIGITS, first.scale)
        if name in _ROUNDING:
            return _rounded(first, arguments[1:])
        if name == "sign":
            return Numeric(1, 0)
        return first if name == "numeric" else None

    def _common(self, nodes: list[Node | None], queries: list[Node]) -> Type:
        return common([self._type(n, queries) for n in nodes if n and not _is_null(n)])

    def _subquery(self, node: Node, queries: list[Node]) -> Type:
        query = node["subselect"]
        if node.get("subLinkType") != "4":  # a single value
            return None
        return self._column(query, 1, [*queries, query])

    def _variable(self, node: Node, queries: list[Node]) -> Type:
        queries = queries[: len(queries) - int(node.get("varlevelsup", 0))]
        number = int(node.get("varattno", 0))
        entry = queries[-1]["rtable"][int(node["varno"]) - 1]
        if number < 1:
            return None
        if "subquery" in entry:
            return self._column(entry["subquery"], number, [*queries, entry["subquery"]])
        for expressions in ("joinaliasvars", "groupexprs"):
            if expressions in entry:
                return self._type(entry[expressions][number - 1], queries)
        if "ctename" in entry:
            queries = queries[: len(queries) - int(entry.get("ctelevelsup", 0))]
            query = next(
                common_table["ctequery"]
                for common_table in queries[-1]["cteList"]
                if common_table["ctename"] == entry["ctename"]
            )
            return self._column(query, number, [*queries, query])
        return None

    def _column(self, query: Node, number: int, queries: list[Node]) -> Type:
        """The type of a query's column. queries: the enclosing ones and the query itself."""
        targets = query.get("targetList", [])
        target = next((t for t in targets if t.get("resno") == str(number)), None)
        if target is None or query.get("commandType") != "1":
            return None
        if "setOperations" not in query:
            return self._type(target["expr"], queries)
        types = []
        for entry in _leaves(query["setOperations"], query["rtable"]):
            leaf = entry["subquery"]
            expression = leaf["targetList"][number - 1]["expr"]
            if not _is_null(expression):
                types.append(self._column(leaf, number, [*queries, leaf]))
        return common(types)


def _leaves(node: Node, entries: list[Node]) -> Iterator[Node]:
    if node["kind"] == "RANGETBLREF":
        yield entries[int(node["rtindex"]) - 1]
    else:
        yield from _leaves(node["larg"], entries)
        yield from _leaves(node["rarg"], entries)


def _arguments(node: Node) -> list[Node]:
    return [arg.get("expr", arg) if arg["kind"] == "TARGETENTRY" else arg
            for arg in node.get("args", [])]  # fmt: skip


def _oid(node: Node) -> str:
    """The type that PostgreSQL gives an expression."""
    for field in (
        *("vartype", "consttype", "funcresulttype", "opresulttype", "aggtype", "wintype"),
        *("casetype", "coalescetype", "minmaxtype", "resulttype"),
    ):
        if field in node:
            return node[field]
    if node["kind"] == "SUBLINK" and node.get("subLinkType") == "4":
        return _oid(node["subselect"]["targetList"][0]["expr"])
    return _oid(node["arg"]) if node["kind"] == "COLLATEEXPR" else ""


def _modifier(node: Node) -> int | None:
    """PostgreSQL's type modifier of a column or a cast, without its offset."""
    modifier = next(
        (node[m] for m in ("vartypmod", "consttypmod", "resulttypmod") if m in node), None
    )
    if modifier is None and node["kind"] == "FUNCEXPR" and node.get("funcformat") in ("1", "2"):
        arguments = _arguments(node)
        if len(arguments) > 1:
            modifier = _integer(arguments[1])
    return None if modifier is None or int(modifier) < 4 else int(modifier) - 4


def _rounded(kind: Numeric, places: list[Node]) -> Numeric | None:
    """AWS's examples show as many places as requested. [guide:r_ROUND, r_TRUNC]"""
    scale = _integer(places[0]) if places else 0
    if scale is None:
        return None
    scale = max(scale, 0)
    precision = kind.precision + max(scale - kind.scale, 0)
    return Numeric(precision, scale) if precision <= _MOST_DIGITS else None


def _integer(node: Node) -> int | None:
    """The value of an INTEGER literal."""
    if node.get("consttype") != "23" or "constvalue" not in node:
        return None
    return int.from_bytes(node["constvalue"][:4], "little", signed=True)


def _is_null(node: Node) -> bool:
    while node["kind"] in ("RELABELTYPE", "COERCEVIAIO"):
        node = node["arg"]
    return node.get("constisnull") == "true"


def _constant(node: Node, oid: str) -> Type:
    """The type of a literal: as many bytes or digits as it has."""
    if "constvalue" not in node:
        return None
    if oid == _NUMERIC:
        return _literal_number(node["constvalue"][4:])
    size = len(node["constvalue"]) - (1 if oid == _UNKNOWN else 4)
    return Varchar(max(size, 1)) if size <= _LONGEST_VARCHAR else None


def _literal_number(value: bytes) -> Numeric | None:
    """The digits of a number as PostgreSQL stores it: a header, then four digits per two bytes."""
    head = int.from_bytes(value[:2], "little")
    if head & 0xC000 != 0x8000:  # more digits than Redshift takes
        return None
    scale = (head & 0x1F80) >> 7
    weight = (head & 0x3F) - (head & 0x40)
    groups = [int.from_bytes(value[i : i + 2], "little") for i in range(2, len(value), 2)]
    whole = len(str(groups[0])) + 4 * weight if groups and weight >= 0 else 1
    return Numeric(whole + scale, scale) if whole + scale <= _MOST_DIGITS else None
