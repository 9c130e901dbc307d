//! What the domain asks of the world. Each port is implemented by an adapter crate; the domain knows no adapter.

mod cache;
pub mod credentials;
mod events;
mod files;
mod limiter;
mod queue;
mod store;

pub use cache::{AnswerCache, CacheKey, CachedAnswer};
pub use credentials::{
    AccessClaims, Entropy, HashError, HashRoom, Notary, PasswordHash, PasswordHasher, PasswordVerdict,
    Sealer, Signature, TokenSigner,
};
pub use events::{EventBus, Heard, Subscription};
pub use files::FileStore;
pub use limiter::{Bucket, Level, Quota, RateLimiter, Verdict};
pub use queue::JobQueue;
pub use store::{Reader, Repositories, Store, StoreError, Tx};
