//! What a rotation into a file leaves on the disk until it has ended, so that the next run can go on with it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::replace::beside;

/// More than any record needs.
const LONGEST: u64 = 4096;

/// The request as it was first made. Repeated, it must be the very same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// The key under which the server keeps the answer.
    pub key: String,
    /// The token's id, or `self`.
    pub token: String,
    /// How long the old secret stays good.
    pub overlap_seconds: u64,
}

/// The record of one attempt, `.NAME.rotation` beside the file, locked while this process works on it. It holds no
/// secret: the key proves nothing.
pub struct Attempt {
    path: PathBuf,
    file: File,
    begun: Option<Begun>,
}

impl Attempt {
    /// Takes the lock, and reads what an earlier run left.
    pub fn open(target: &Path) -> Result<Self, Failure> {
        let path = beside(target, "rotation");
        let failed = |error: std::io::Error| Failure::Other(format!("{} can't be made: {error}", path.display()));
        loop {
            let mut options = OpenOptions::new();
            let file =
                options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(failed)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(Failure::Conflict(format!("another rotation into {} is under way", target.display())));
                }
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
            // Its last holder may have removed it between our opening and locking: then we hold a lock on nothing.
            let there =
                fs::metadata(&path).is_ok_and(|there| file.metadata().is_ok_and(|ours| ours.ino() == there.ino()));
            if there {
                let mut text = String::new();
                (&file).take(LONGEST).read_to_string(&mut text).map_err(failed)?;
                let begun = serde_json::from_str(&text).ok();
                return Ok(Self { path, file, begun });
            }
        }
    }

    /// The request, once there is one.
    pub fn begun(&self) -> Option<&Begun> {
        self.begun.as_ref()
    }

    /// Whether an earlier run asked for this token's rotation and did not come to its end.
    pub fn resume(&self, token: &str) -> bool {
        self.begun.as_ref().is_some_and(|begun| begun.token == token)
    }

    /// Keeps the request on the disk; only then may it be made.
    pub fn begin(&mut self, token: &str, overlap_seconds: u64, key: String) -> Result<(), Failure> {
        let begun = Begun { key, token: token.to_owned(), overlap_seconds };
        let text = serde_json::to_string(&begun).map_err(|error| Failure::Other(error.to_string()))?;
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(text.as_bytes())?;
        self.file.sync_all()?;
        File::open(self.path.parent().unwrap_or(Path::new(".")))?.sync_all()?;
        self.begun = Some(begun);
        Ok(())
    }

    /// Nothing is left to go on with.
    pub fn end(self) -> Result<(), Failure> {
        fs::remove_file(&self.path)
            .map_err(|error| Failure::Other(format!("{} can't be removed: {error}", self.path.display())))
    }

    /// Whether a file that was left behind is ours: in a folder that others write to, theirs must not be taken for it.
    pub fn is_own(left: &Path, target: &Path) -> bool {
        let (Ok(left), Ok(target)) = (fs::symlink_metadata(left), fs::metadata(target)) else {
            return false;
        };
        left.is_file() && left.uid() == target.uid() && left.mode() & 0o022 == 0
    }
}

impl Drop for Attempt {
    /// Nothing was asked: there is nothing for the next run to go on with.
    fn drop(&mut self) {
        if self.begun.is_none() {
            _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_run_finds_what_was_begun() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("token");
        let mut first = Attempt::open(&target).unwrap();
        assert!(first.begun().is_none() && !first.resume("self"));
        first.begin("self", 60, "k1".to_owned()).unwrap();
        drop(first);
        let mut second = Attempt::open(&target).unwrap();
        assert!(second.resume("self") && !second.resume("another"));
        assert_eq!(second.begun().unwrap().key, "k1");
        second.begin("self", 3600, "k2".to_owned()).unwrap();
        drop(second);
        let third = Attempt::open(&target).unwrap();
        assert_eq!(third.begun(), Some(&Begun { key: "k2".into(), token: "self".into(), overlap_seconds: 3600 }));
        third.end().unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn only_one_works_at_a_time_and_a_torn_record_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("token");
        let first = Attempt::open(&target).unwrap();
        assert!(matches!(Attempt::open(&target), Err(Failure::Conflict(_))));
        drop(first);
        fs::write(beside(&target, "rotation"), "{\"key\":\"k").unwrap();
        assert!(Attempt::open(&target).unwrap().begun().is_none());
    }
}
