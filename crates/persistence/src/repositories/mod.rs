//! The repositories, one file a resource: queries, and rows to entities.

mod api_keys;
mod assignments;
mod attempts;
mod audit;
mod chains;
mod device_credentials;
mod housekeeping;
mod idempotency;
mod invitations;
mod jobs;
pub(crate) mod keys;
mod mail;
mod memberships;
mod metrics;
mod module_types;
mod modules;
mod organizations;
mod passwords;
pub(crate) mod readings;
mod reports;
mod rollups;
mod schedules;
mod sessions;
pub(crate) mod setup;
mod sites;
pub(crate) mod standing;
mod users;

use std::collections::BTreeSet;

use sea_orm::{
    ActiveValue, ConnectionTrait, DbBackend, EntityTrait, ExprTrait as _, Set, UpdateMany, Value,
    sea_query::Expr,
};
use sitewatch_domain::{
    access::Author,
    ids::OrgId,
    page::{Direction, Page},
    ports::StoreError,
    stamp::Stamp,
};

use crate::{
    error::store_error,
    paging::SortColumn,
    session::Session,
    stamp::{StampColumns, changed},
};

/// The columns to sort by: those that are asked for, else the usual one upwards.
fn sort_or<K: Copy, C>(
    asked: &[(K, Direction)],
    column: impl Fn(K) -> SortColumn<C>,
    usual: C,
) -> Vec<(SortColumn<C>, Direction)> {
    if asked.is_empty() {
        return vec![(SortColumn::Always(usual), Direction::Ascending)];
    }
    asked.iter().map(|(key, direction)| (column(*key), *direction)).collect()
}

/// A page of rows as a page of entities.
fn try_map<M, T>(page: Page<M>, entity: impl Fn(M) -> Result<T, StoreError>) -> Result<Page<T>, StoreError> {
    let items = page.items.into_iter().map(entity).collect::<Result<_, _>>()?;
    Ok(Page { items, total: page.total, request: page.request })
}

/// The audit columns of rows that are archived or restored along with their parent; each counts its own revision on.
fn cascade(author: &Author, parent: &Stamp) -> StampColumns {
    StampColumns {
        revision: ActiveValue::NotSet,
        is_active: Set(parent.is_active),
        ..changed(author, parent)
    }
}

/// Rows of which each counts its own revision on.
fn counted_on<E: EntityTrait>(rows: UpdateMany<E>, revision: E::Column) -> UpdateMany<E> {
    rows.col_expr(revision, Expr::col(revision).add(1))
}

fn tags_text(tags: &[String]) -> String {
    serde_json::Value::from(tags).to_string()
}

fn tags_of(text: &str) -> Option<Vec<String>> {
    serde_json::from_str(text).ok()
}

/// That a column is one of these numbers, with its values from the parameter `first` on. An array on PostgreSQL, since its statement
/// has the same text for every length; on SQLite at most as many as a statement takes parameters.
fn among(backend: DbBackend, first: usize, numbers: &[i64]) -> (String, Vec<Value>) {
    if backend == DbBackend::Postgres {
        return (format!("= ANY(${first}::bigint[])"), vec![numbers.to_vec().into()]);
    }
    let places = placeholders(first, numbers.len());
    (format!("IN ({places})"), numbers.iter().copied().map(Value::from).collect())
}

impl<C: ConnectionTrait> Session<C> {
    /// Those of these texts that active rows of an organization have in a column.
    async fn taken(
        &self,
        (table, column): (&'static str, &'static str),
        org: OrgId,
        texts: &BTreeSet<String>,
    ) -> Result<BTreeSet<String>, StoreError> {
        if texts.is_empty() {
            return Ok(BTreeSet::new());
        }
        let places = placeholders(2, texts.len());
        let sql = format!(
            "SELECT {column} AS taken FROM {table} WHERE organization_id = $1 AND is_active AND {column} IN ({places})"
        );
        let values: Vec<Value> =
            [org.uuid().into()].into_iter().chain(texts.iter().map(|text| text.clone().into())).collect();
        let rows = self.query_sql(&sql, values).await?;
        rows.iter().map(|row| row.try_get("", "taken").map_err(store_error)).collect()
    }
}

/// Numbered parameters of a list: `$3, $4, $5`.
fn placeholders(first: usize, count: usize) -> String {
    (first..first + count).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ")
}
