"""What was written: the abstract syntax of a statement, as frozen nodes with source spans.

Owns: the node classes, by family. Comes in: the parser builds them. Goes out: the binder reads
them. Does not know: whether a name exists, what a type is, what a function does.

Names are kept as written, without quotes; names compare with letter case ignored, quoted or not.
"""

from eau2.sql.ast.base import (
    Expression as Expression,
)
from eau2.sql.ast.base import (
    Node as Node,
)
from eau2.sql.ast.base import (
    OrderItem as OrderItem,
)
from eau2.sql.ast.base import (
    Query as Query,
)
from eau2.sql.ast.base import (
    Sample as Sample,
)
from eau2.sql.ast.base import (
    SelectItem as SelectItem,
)
from eau2.sql.ast.base import (
    Statement as Statement,
)
from eau2.sql.ast.base import (
    TableExpression as TableExpression,
)
from eau2.sql.ast.base import (
    TypeName as TypeName,
)
from eau2.sql.ast.expressions import (
    COMPREHENSION as COMPREHENSION,
)
from eau2.sql.ast.expressions import (
    Between as Between,
)
from eau2.sql.ast.expressions import (
    Binary as Binary,
)
from eau2.sql.ast.expressions import (
    CaseWhen as CaseWhen,
)
from eau2.sql.ast.expressions import (
    CastTo as CastTo,
)
from eau2.sql.ast.expressions import (
    Collated as Collated,
)
from eau2.sql.ast.expressions import (
    Columns as Columns,
)
from eau2.sql.ast.expressions import (
    Constant as Constant,
)
from eau2.sql.ast.expressions import (
    DefaultValue as DefaultValue,
)
from eau2.sql.ast.expressions import (
    EveryColumn as EveryColumn,
)
from eau2.sql.ast.expressions import (
    Exists as Exists,
)
from eau2.sql.ast.expressions import (
    Extract as Extract,
)
from eau2.sql.ast.expressions import (
    Frame as Frame,
)
from eau2.sql.ast.expressions import (
    FrameEnd as FrameEnd,
)
from eau2.sql.ast.expressions import (
    FunctionCall as FunctionCall,
)
from eau2.sql.ast.expressions import (
    GroupingSet as GroupingSet,
)
from eau2.sql.ast.expressions import (
    In as In,
)
from eau2.sql.ast.expressions import (
    InQuery as InQuery,
)
from eau2.sql.ast.expressions import (
    IntervalConstant as IntervalConstant,
)
from eau2.sql.ast.expressions import (
    IsTest as IsTest,
)
from eau2.sql.ast.expressions import (
    Lambda as Lambda,
)
from eau2.sql.ast.expressions import (
    Like as Like,
)
from eau2.sql.ast.expressions import (
    ListOf as ListOf,
)
from eau2.sql.ast.expressions import (
    Name as Name,
)
from eau2.sql.ast.expressions import (
    NamedArgument as NamedArgument,
)
from eau2.sql.ast.expressions import (
    Parameter as Parameter,
)
from eau2.sql.ast.expressions import (
    Quantified as Quantified,
)
from eau2.sql.ast.expressions import (
    RowOf as RowOf,
)
from eau2.sql.ast.expressions import (
    Slice as Slice,
)
from eau2.sql.ast.expressions import (
    Star as Star,
)
from eau2.sql.ast.expressions import (
    Subquery as Subquery,
)
from eau2.sql.ast.expressions import (
    Subscript as Subscript,
)
from eau2.sql.ast.expressions import (
    TypedConstant as TypedConstant,
)
from eau2.sql.ast.expressions import (
    Unary as Unary,
)
from eau2.sql.ast.expressions import (
    Unsupported as Unsupported,
)
from eau2.sql.ast.expressions import (
    WindowSpec as WindowSpec,
)
from eau2.sql.ast.queries import (
    CommonTable as CommonTable,
)
from eau2.sql.ast.queries import (
    Ordered as Ordered,
)
from eau2.sql.ast.queries import (
    Select as Select,
)
from eau2.sql.ast.queries import (
    SetOperation as SetOperation,
)
from eau2.sql.ast.queries import (
    Summarize as Summarize,
)
from eau2.sql.ast.queries import (
    Values as Values,
)
from eau2.sql.ast.queries import (
    WithQuery as WithQuery,
)
from eau2.sql.ast.statements import (
    ColumnDefinition as ColumnDefinition,
)
from eau2.sql.ast.statements import (
    CreateFunction as CreateFunction,
)
from eau2.sql.ast.statements import (
    CreateIndex as CreateIndex,
)
from eau2.sql.ast.statements import (
    CreateTable as CreateTable,
)
from eau2.sql.ast.statements import (
    CreateView as CreateView,
)
from eau2.sql.ast.statements import (
    Deallocate as Deallocate,
)
from eau2.sql.ast.statements import (
    Describe as Describe,
)
from eau2.sql.ast.statements import (
    Drop as Drop,
)
from eau2.sql.ast.statements import (
    DropFunction as DropFunction,
)
from eau2.sql.ast.statements import (
    DropIndex as DropIndex,
)
from eau2.sql.ast.statements import (
    Execute as Execute,
)
from eau2.sql.ast.statements import (
    Explain as Explain,
)
from eau2.sql.ast.statements import (
    FunctionParameter as FunctionParameter,
)
from eau2.sql.ast.statements import (
    Insert as Insert,
)
from eau2.sql.ast.statements import (
    Prepare as Prepare,
)
from eau2.sql.ast.statements import (
    SetStatement as SetStatement,
)
from eau2.sql.ast.statements import (
    ShowChunks as ShowChunks,
)
from eau2.sql.ast.statements import (
    ShowFunctions as ShowFunctions,
)
from eau2.sql.ast.statements import (
    ShowIndexes as ShowIndexes,
)
from eau2.sql.ast.statements import (
    ShowNodes as ShowNodes,
)
from eau2.sql.ast.statements import (
    ShowSetting as ShowSetting,
)
from eau2.sql.ast.statements import (
    ShowTables as ShowTables,
)
from eau2.sql.ast.statements import (
    UnsupportedStatement as UnsupportedStatement,
)
from eau2.sql.ast.tables import (
    DerivedTable as DerivedTable,
)
from eau2.sql.ast.tables import (
    JoinClause as JoinClause,
)
from eau2.sql.ast.tables import (
    PivotOn as PivotOn,
)
from eau2.sql.ast.tables import (
    PivotTable as PivotTable,
)
from eau2.sql.ast.tables import (
    SampledTable as SampledTable,
)
from eau2.sql.ast.tables import (
    TableFile as TableFile,
)
from eau2.sql.ast.tables import (
    TableFunction as TableFunction,
)
from eau2.sql.ast.tables import (
    TableName as TableName,
)
from eau2.sql.ast.tables import (
    UnpivotTable as UnpivotTable,
)
