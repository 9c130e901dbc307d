//! The files of reports, in a folder or in a bucket of an object store.
#![forbid(unsafe_code)]

mod bucket;
mod folder;

pub use bucket::{BucketKey, BucketStore, BucketUrl, NotABucket};
pub use folder::FolderStore;
