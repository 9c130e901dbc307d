//! Pages and conditions as SQL.

use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, ExprTrait as _, FromQueryResult, Order,
    QueryFilter, QueryOrder, QueryResult, QuerySelect, QueryTrait, Select,
    sea_query::{Asterisk, Expr, Func, LikeExpr, NullOrdering, Query, SelectStatement, SimpleExpr},
};
use sitewatch_domain::{
    page::{Between, Direction, MAX_REACH, Page, PageRequest, Total},
    ports::StoreError,
    time::Instant,
};

use crate::error::store_error;

/// A key to sort by: the column, and whether it can be null.
pub(crate) enum SortColumn<C> {
    /// Never null.
    Always(C),
    /// May be null; nulls are the smallest.
    Nullable(C),
    /// A column of a joined table, never null.
    Joined(SimpleExpr),
}

/// A row with the size of the list that it is from.
struct Counted<M> {
    row: M,
    total: i64,
}

impl<M: FromQueryResult> FromQueryResult for Counted<M> {
    fn from_query_result(result: &QueryResult, prefix: &str) -> Result<Self, sea_orm::DbErr> {
        Ok(Self { row: M::from_query_result(result, prefix)?, total: result.try_get(prefix, "total_rows")? })
    }
}

/// Reads one page, with the size of the list, in one statement; a page beyond the end takes a second one. A size that is known is not counted.
pub(crate) async fn page<E, M, C>(
    connection: &C,
    select: Select<E>,
    sort: Vec<(SortColumn<E::Column>, Direction)>,
    id: E::Column,
    (request, known): (PageRequest, Option<Total>),
) -> Result<Page<M>, StoreError>
where
    E: EntityTrait,
    M: FromQueryResult + Send + Sync,
    C: ConnectionTrait,
{
    let counting = counting(select.clone().into_query());
    let size = match known {
        Some(total) => Expr::val(i64::from(total.counted())),
        None => SimpleExpr::SubQuery(None, Box::new(counting.clone().into())),
    };
    let mut paged = select.expr_as(size, "total_rows");
    let ties = sort.first().map_or(Direction::Ascending, |(_, direction)| *direction);
    for (column, direction) in sort {
        paged = ordered(paged, column, direction);
    }
    let paged = paged
        .order_by(id, order(ties))
        .limit(u64::from(request.per_page()))
        .offset(u64::from(request.offset()));
    let rows: Vec<Counted<M>> = paged.into_model().all(connection).await.map_err(store_error)?;
    let total = match (rows.first(), known) {
        (_, Some(total)) => i64::from(total.counted()),
        (Some(row), None) => row.total,
        (None, None) if request.page() == 1 => 0,
        (None, None) => count(connection, &counting).await?,
    };
    Ok(Page {
        items: rows.into_iter().map(|counted| counted.row).collect(),
        total: Total::from_count(u32::try_from(total).unwrap_or(u32::MAX)),
        request,
    })
}

/// Counts the rows of a query, and stops one beyond the cap.
fn counting(mut rows: SelectStatement) -> SelectStatement {
    rows.clear_selects().expr(Expr::val(1)).limit(u64::from(MAX_REACH) + 1);
    Query::select()
        .expr_as(Func::count(Expr::col(Asterisk)), "total_rows")
        .from_subquery(rows, "counted")
        .to_owned()
}

async fn count<C: ConnectionTrait>(connection: &C, counting: &SelectStatement) -> Result<i64, StoreError> {
    let row = connection.query_one(counting).await.map_err(store_error)?;
    row.map_or(Ok(0), |row| row.try_get("", "total_rows").map_err(store_error))
}

fn order(direction: Direction) -> Order {
    match direction {
        Direction::Ascending => Order::Asc,
        Direction::Descending => Order::Desc,
    }
}

/// Nulls come first upwards and last downwards on both databases, which each have their own habit.
fn ordered<E: EntityTrait>(
    select: Select<E>,
    column: SortColumn<E::Column>,
    direction: Direction,
) -> Select<E> {
    let nulls = match direction {
        Direction::Ascending => NullOrdering::First,
        Direction::Descending => NullOrdering::Last,
    };
    match column {
        SortColumn::Always(column) => select.order_by(column, order(direction)),
        SortColumn::Nullable(column) => select.order_by_with_nulls(column, order(direction), nulls),
        SortColumn::Joined(column) => select.order_by(column, order(direction)),
    }
}

/// Rows in whose columns the text occurs, without case (of ASCII letters on SQLite).
pub(crate) fn searched<E: EntityTrait>(
    select: Select<E>,
    text: Option<&str>,
    columns: &[E::Column],
) -> Select<E> {
    match text {
        Some(text) => select.filter(occurs(text, columns)),
        None => select,
    }
}

/// The same as a condition, for columns of a joined table.
///
/// SQLite lowers ASCII letters alone: there the text with its other letters as they were given is what is found.
pub(crate) fn occurs<C: ColumnTrait>(text: &str, columns: &[C]) -> Condition {
    let mut spellings = vec![text.to_lowercase(), text.to_ascii_lowercase()];
    spellings.dedup();
    let mut condition = Condition::any();
    for spelling in spellings {
        let pattern = format!("%{}%", escaped(&spelling));
        for column in columns {
            let lower = SimpleExpr::from(Func::lower(Expr::col(column.as_column_ref())));
            condition = condition.add(lower.like(LikeExpr::new(pattern.clone()).escape('\\')));
        }
    }
    condition
}

/// Sorts by a name.
pub(crate) fn by_name<Q: QueryOrder, C: ColumnTrait>(select: Q, column: C) -> Q {
    select.order_by_asc(column)
}

/// Rows whose list of tags, stored as JSON, holds this one. By `replace`, since LIKE minds the case on one database only.
pub(crate) fn tagged<C: ColumnTrait>(column: C, tag: &str) -> SimpleExpr {
    let quoted = serde_json::Value::from(tag).to_string();
    let tags = || Expr::col(column.as_column_ref());
    SimpleExpr::from(Func::cust("replace").arg(tags()).arg(quoted).arg("")).ne(tags())
}

/// A text in which no character has a meaning for LIKE.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// Rows whose moment lies within the bounds.
pub(crate) fn between<C: ColumnTrait>(column: C, bounds: Between) -> Condition {
    let micros = |bound: Option<Instant>| bound.map(Instant::as_micros);
    Condition::all()
        .add_option(micros(bounds.gte).map(|at| column.gte(at)))
        .add_option(micros(bounds.gt).map(|at| column.gt(at)))
        .add_option(micros(bounds.lte).map(|at| column.lte(at)))
        .add_option(micros(bounds.lt).map(|at| column.lt(at)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wildcards_of_a_search_text_are_plain_characters() {
        assert_eq!(escaped(r"100%_\"), r"100\%\_\\");
    }
}
