//! A file that lines are appended to. When it was moved or deleted, the next lines go to a new one, so that logs can be
//! rotated without telling anybody; [`reopen`] is for those who tell.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{FileTypeExt, MetadataExt},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

/// How often it was asked for that files are opened again.
static REOPENED: AtomicU32 = AtomicU32::new(0);

/// Opens all log files again, each before its next lines.
pub fn reopen() {
    REOPENED.fetch_add(1, Relaxed);
}

/// A file at a path.
#[derive(Debug)]
pub(super) struct LogFile {
    path: String,
    file: File,
    /// Device and number.
    identity: (u64, u64),
    reopened: u32,
}

impl LogFile {
    /// Opens it, or makes it.
    ///
    /// # Errors
    /// That is not possible, or it is a pipe: nobody may be reading it, and to open it would wait for that.
    pub fn open(path: &str) -> io::Result<Self> {
        let reopened = REOPENED.load(Relaxed);
        if fs::metadata(path).is_ok_and(|known| known.file_type().is_fifo()) {
            return Err(io::Error::other("it is a pipe"));
        }
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        let identity = identity(&file.metadata()?);
        Ok(Self { path: path.to_owned(), file, identity, reopened })
    }

    /// Appends text.
    pub fn write(&mut self, text: &[u8]) -> io::Result<()> {
        if self.is_stale() {
            // As long as there is no new one, the old one is better than none.
            if let Ok(new) = Self::open(&self.path) {
                *self = new;
            }
        }
        self.file.write_all(text)
    }

    fn is_stale(&self) -> bool {
        let is_another = || fs::metadata(&self.path).map(|now| identity(&now) != self.identity);
        self.reopened != REOPENED.load(Relaxed) || is_another().unwrap_or(true)
    }
}

fn identity(file: &fs::Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_behind_a_move_go_to_a_new_file() {
        let folder = tempfile::tempdir().unwrap();
        let (path, moved) = (folder.path().join("a.log"), folder.path().join("a.log.1"));
        let mut file = LogFile::open(path.to_str().unwrap()).unwrap();
        file.write(b"one\n").unwrap();
        fs::rename(&path, &moved).unwrap();
        file.write(b"two\n").unwrap();
        assert_eq!(fs::read(&moved).unwrap(), b"one\n");
        assert_eq!(fs::read(&path).unwrap(), b"two\n");
    }

    #[test]
    fn what_was_in_the_file_stays_and_a_missing_folder_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        fs::write(&path, "old\n").unwrap();
        LogFile::open(path.to_str().unwrap()).unwrap().write(b"new\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old\nnew\n");
        assert!(LogFile::open(folder.path().join("no/a.log").to_str().unwrap()).is_err());
    }
}
