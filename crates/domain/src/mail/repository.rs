use async_trait::async_trait;

use super::{Delivery, DeliveryState, Suppression};
use crate::{
    access::{PlatformGrant, RunJobs},
    ids::{DeliveryId, UserId},
    ports::StoreError,
    text::EmailAddress,
    time::Instant,
};

/// Stores mails and what came of them.
#[async_trait]
pub trait MailRepository {
    /// Writes a mail. False if there is one with its key.
    async fn insert_delivery(&mut self, delivery: &Delivery) -> Result<bool, StoreError>;

    /// The address of an active user. Notices of what happens to an account are written before, or without, anybody having a
    /// right to see it, so no grant guards it; only use cases can reach it.
    async fn find_address(&self, user: UserId) -> Result<Option<EmailAddress>, StoreError>;

    /// Whether an active user has this address.
    async fn is_address_of_user(
        &self,
        grant: &PlatformGrant<RunJobs>,
        address: &EmailAddress,
    ) -> Result<bool, StoreError>;

    /// The mail with this key.
    async fn find_delivery(
        &self,
        grant: &PlatformGrant<RunJobs>,
        dedupe_key: &str,
    ) -> Result<Option<Delivery>, StoreError>;

    /// Begins a try: the mail is claimed, or suppressed if its address takes no mail; a first one gives it this Message-ID. The
    /// mail as it is then; `None` if there is nothing to send any more.
    async fn claim_delivery(
        &mut self,
        grant: &PlatformGrant<RunJobs>,
        id: DeliveryId,
        message_id: &str,
    ) -> Result<Option<Delivery>, StoreError>;

    /// Notes what came of a try. A mail that will not be tried again forgets its secret.
    async fn settle_delivery(
        &mut self,
        grant: &PlatformGrant<RunJobs>,
        id: DeliveryId,
        state: DeliveryState,
        error: Option<&str>,
        at: Instant,
    ) -> Result<(), StoreError>;

    /// Notes that an address takes no mail, if that is not known yet.
    async fn suppress_address(
        &mut self,
        grant: &PlatformGrant<RunJobs>,
        address: &EmailAddress,
        reason: &str,
        at: Instant,
    ) -> Result<(), StoreError>;

    /// The addresses that take no mail, newest first, at most `limit`.
    async fn list_suppressions(
        &self,
        grant: &PlatformGrant<RunJobs>,
        limit: u32,
    ) -> Result<Vec<Suppression>, StoreError>;

    /// Forgets that an address takes no mail: what was known of it, `None` if nothing was.
    async fn lift_suppression(
        &mut self,
        grant: &PlatformGrant<RunJobs>,
        address: &EmailAddress,
    ) -> Result<Option<Suppression>, StoreError>;
}
