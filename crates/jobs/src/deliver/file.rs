//! Without a mail server: letters as files, which every mail program opens.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use async_trait::async_trait;

use super::{Letter, MailFailure, Mailer};

/// Keeps letters in a folder, one `.eml` file each, named by the delivery.
#[derive(Debug, Clone)]
pub struct FileMailer {
    folder: PathBuf,
}

impl FileMailer {
    /// Keeps them in this folder, which is made when the first one comes.
    pub const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Writes under another name, waits for the disk, and renames: a file is whole or not there.
    fn write(&self, letter: &Letter, bytes: &[u8]) -> io::Result<PathBuf> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let path = self.folder.join(format!("{}.eml", letter.id));
        let draft = self.folder.join(format!(".{}.{}.draft", letter.id, std::process::id()));
        let written = write_through(&draft, bytes).and_then(|()| fs::rename(&draft, &path));
        if let Err(error) = written {
            // Whatever is wrong with the folder, nothing half-written is to stay.
            let _gone = fs::remove_file(&draft);
            return Err(error);
        }
        File::open(&self.folder)?.sync_all()?;
        Ok(path)
    }
}

fn write_through(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[async_trait]
impl Mailer for FileMailer {
    async fn send(&self, letter: &Letter) -> Result<String, MailFailure> {
        let bytes = letter.bytes().map_err(|error| MailFailure::Refused(error.to_string()))?;
        let path = self.write(letter, &bytes).map_err(|error| {
            MailFailure::PutOff(format!("cannot be written into {}: {error}", self.folder.display()))
        })?;
        Ok(format!("kept in {}, since no mail server is set (mail.smtp_url)", path.display()))
    }

    fn destination(&self) -> String {
        format!("files in {}", self.folder.display())
    }
}
