//! The files of reports, in a folder.
#![forbid(unsafe_code)]

mod folder;

pub use folder::FolderStore;
