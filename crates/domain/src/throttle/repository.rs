use async_trait::async_trait;

use super::{AccountKey, Counter, Place};
use crate::ports::StoreError;

/// The counters that an attempt may count in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempts {
    /// From places where the account has never been signed in.
    pub elsewhere: Counter,
    /// From this place, if it has been.
    pub here: Option<Counter>,
}

/// Stores attempts. Reached before anybody has proven who he is, so no grant guards it; only the use cases of signing in can reach it.
///
/// It does the same whether or not there is such an account.
#[async_trait]
pub trait AttemptRepository {
    /// The counters of an account, whatever is in them, locked until the transaction ends.
    async fn lock_attempts(
        &mut self,
        account: &AccountKey,
        place: Option<&Place>,
    ) -> Result<Attempts, StoreError>;

    /// Writes the counter of a place where the account has been signed in; without a place, that of all others.
    async fn write_attempts(
        &mut self,
        account: &AccountKey,
        place: Option<&Place>,
        counter: &Counter,
    ) -> Result<(), StoreError>;
}
