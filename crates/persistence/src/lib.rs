//! Repositories on sea-orm, one set for SQLite and PostgreSQL: the only crate that knows SQL.
//!
//! What it knows: tables, queries, transactions, migrations, what a driver's error means. What it must not know: HTTP,
//! tokens, or any rule of a use case. A query starts in `scope`, which turns a grant into a filter; audit columns come from
//! `stamp`; audit entries are part of every commit.
#![forbid(unsafe_code)]

mod chain;
mod connect;
mod deadline;
mod entities;
mod error;
mod file;
mod gather;
mod migrate;
mod observe;
mod open;
mod paging;
mod repositories;
mod scope;
mod session;
mod stamp;
mod wall;

pub use connect::{ConnectError, SeaStore, StoreSettings};
pub use migrate::MigrateError;
pub use observe::PoolState;
pub use open::OLDEST_SQLITE_TEXT;
