use async_trait::async_trait;

use crate::{
    access::{ChangePassword, OwnGrant, PlatformGrant, RunJobs},
    ids::UserId,
    ports::{PasswordHash, StoreError},
    text::EmailAddress,
    time::Instant,
};

/// A token that was sent to a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordReset {
    /// Its id.
    pub id: uuid::Uuid,
    /// Whose password it is about.
    pub user_id: UserId,
    /// Where it is sent to.
    pub email: EmailAddress,
    /// The SHA-256 of the token, which alone is kept.
    pub token_digest: Vec<u8>,
    /// When it was made.
    pub created_at: Instant,
    /// From when on it is of no use.
    pub expires_at: Instant,
}

/// A token that is good at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenReset {
    /// Its id.
    pub id: uuid::Uuid,
    /// Whose password it is about.
    pub user_id: UserId,
}

/// Stores passwords and the tokens that replace them. What is asked for somebody who shows a token is guarded by the token.
#[async_trait]
pub trait PasswordRepository {
    /// The hash of the user's password, if he has one.
    async fn find_password(
        &self,
        grant: &OwnGrant<ChangePassword>,
    ) -> Result<Option<PasswordHash>, StoreError>;

    /// The words that everybody who knows the user would try first: his address, his name, the names of his organizations.
    async fn words_about(&self, user: UserId) -> Result<Vec<String>, StoreError>;

    /// How many API keys of the user, whose password is replaced, are neither revoked nor over.
    async fn count_good_api_keys(&self, user: UserId) -> Result<u64, StoreError>;

    /// Replaces the user's password, if it is still this one, and forgets the tokens that would replace it as well. False if it was
    /// changed meanwhile.
    async fn change_password(
        &mut self,
        grant: &OwnGrant<ChangePassword>,
        before: &PasswordHash,
        after: &PasswordHash,
    ) -> Result<bool, StoreError>;

    /// Writes a token, and forgets those that were made before `forget_before`. False, and nothing is written, if the user has `most`
    /// that were not.
    async fn insert_password_reset(
        &mut self,
        grant: &PlatformGrant<RunJobs>,
        reset: &PasswordReset,
        forget_before: Instant,
        most: u32,
    ) -> Result<bool, StoreError>;

    /// The token of this digest, if it was not used, is not over, and the active user still has the address that it was sent to.
    async fn find_password_reset(
        &self,
        token_digest: &[u8],
        now: Instant,
    ) -> Result<Option<OpenReset>, StoreError>;

    /// Uses a token up, and with it all others of the user, and gives him this password. False if it was used meanwhile.
    async fn use_password_reset(
        &mut self,
        reset: &OpenReset,
        password: &PasswordHash,
    ) -> Result<bool, StoreError>;
}
