//! A file that is replaced in one step: whoever reads it finds the old content or the new one, whole. Most hold a secret.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use tokenhouse_model::SecretText;

use crate::failure::Failure;

/// Only the owner reads and writes.
const PRIVATE: u32 = 0o600;
/// What is written before the secret is known, so that a full disk shows before the server is asked. No secret is longer.
const ROOM: usize = 4096;

/// A file about to be replaced. Dropped without [`Replacement::commit`], nothing has changed.
pub struct Replacement {
    target: PathBuf,
    waiting: PathBuf,
    file: File,
    mode: u32,
    /// The mode that the old file had, where it was wider than the new one's.
    pub narrowed_from: Option<u32>,
    keep: bool,
}

impl Replacement {
    /// Makes everything ready that could fail: the file beside the target, its mode and owner, its room on the disk.
    ///
    /// The mode becomes 0600, or stays what it was if that was tighter; `keep_mode` keeps a wider one.
    pub fn prepare(path: &Path, keep_mode: bool) -> Result<Self, Failure> {
        let target = resolved(path)?;
        let old = match fs::metadata(&target) {
            Ok(old) if old.is_file() => Some(old),
            Ok(_) => return Err(Failure::Usage(format!("{} is not a regular file", target.display()))),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(failed(&target, "can't be looked at", &error)),
        };
        let old_mode = old.as_ref().map(|old| old.mode() & 0o777);
        let mode = match old_mode {
            Some(mode) if keep_mode || mode & !PRIVATE == 0 && mode & 0o400 != 0 => mode,
            _ => PRIVATE,
        };
        let narrowed_from = old_mode.filter(|old| old & !mode != 0);
        let waiting = beside(&target, "new");
        let file = match OpenOptions::new().write(true).create_new(true).mode(PRIVATE).open(&waiting) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let shown = waiting.display();
                return Err(Failure::Conflict(format!(
                    "{shown} is left from a run that did not end, or another is under way. \
                     It may hold a secret: look at it, keep what is needed, and remove it"
                )));
            }
            Err(error) => return Err(failed(&waiting, "can't be made", &error)),
        };
        let mut made = Self { target, waiting, file, mode, narrowed_from, keep: false };
        made.take_owner(old.as_ref(), keep_mode)?;
        made.reserve().map_err(|error| failed(&made.waiting, "can't be written", &error))?;
        Ok(made)
    }

    /// Puts the secret in place, and returns once it would survive a power cut.
    pub fn commit(mut self, secret: &SecretText) -> Result<(), Failure> {
        let text = zeroize::Zeroizing::new(format!("{}\n", secret.expose()));
        let mode = self.mode;
        let write = |file: &mut File| {
            file.rewind()?;
            file.write_all(text.as_bytes())?;
            file.set_len(text.len() as u64)?;
            file.set_permissions(Permissions::from_mode(mode))?;
            file.sync_all()
        };
        write(&mut self.file).map_err(|error| failed(&self.waiting, "can't be written", &error))?;
        // From here on this file is the only place of the new secret.
        self.keep = true;
        if let Err(error) = fs::rename(&self.waiting, &self.target) {
            let (waiting, target) = (self.waiting.display(), self.target.display());
            return Err(Failure::Other(format!(
                "the new secret is made, but {target} could not be replaced: {error}\nThe new secret lies in {waiting}: \
                 move it to its place by hand, the old one may soon end"
            )));
        }
        let folder = self.target.parent().unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| {
            failed(&self.target, "holds the new secret, but its folder can't be synced to the disk", &error)
        })
    }

    /// Begins to fill it with something longer than a secret.
    pub fn begin(&mut self) -> Result<(), Failure> {
        let emptied = self.file.rewind().and_then(|()| self.file.set_len(0));
        emptied.map_err(|error| failed(&self.waiting, "can't be written", &error))
    }

    /// Writes the next piece.
    pub fn write(&mut self, piece: &[u8]) -> Result<(), Failure> {
        self.file.write_all(piece).map_err(|error| failed(&self.waiting, "can't be written", &error))
    }

    /// Puts what was written in place.
    pub fn finish(mut self) -> Result<(), Failure> {
        let mode = Permissions::from_mode(self.mode);
        let done = self.file.set_permissions(mode).and_then(|()| self.file.sync_all());
        done.map_err(|error| failed(&self.waiting, "can't be written", &error))?;
        fs::rename(&self.waiting, &self.target).map_err(|error| failed(&self.target, "can't be replaced", &error))?;
        self.keep = true;
        Ok(())
    }

    /// A file that its reader no longer may read would be a lost secret, so that is found out beforehand.
    fn take_owner(&mut self, old: Option<&fs::Metadata>, keep_mode: bool) -> Result<(), Failure> {
        let Some(old) = old else { return Ok(()) };
        let new = self.file.metadata()?;
        if new.uid() != old.uid() {
            fchown(&self.file, Some(old.uid()), None).map_err(|error| {
                failed(&self.target, "belongs to another user, to whom the new file can't be given", &error)
            })?;
        }
        if new.gid() != old.gid() {
            let given = fchown(&self.file, None, Some(old.gid()));
            // Without rights for the group it does not matter whose it is.
            if keep_mode && self.mode & 0o070 != 0 {
                given.map_err(|error| {
                    failed(&self.target, "belongs to another group, to which the new file can't be given", &error)
                })?;
            }
        }
        Ok(())
    }

    fn reserve(&mut self) -> std::io::Result<()> {
        self.file.write_all(&[b'\n'; ROOM])?;
        self.file.sync_all()
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if !self.keep {
            _ = fs::remove_file(&self.waiting);
        }
    }
}

/// The file itself where the path is a symbolic link: replacing the link would leave the file behind it as it was.
pub fn resolved(path: &Path) -> Result<PathBuf, Failure> {
    if fs::symlink_metadata(path).is_ok() {
        return fs::canonicalize(path).map_err(|error| failed(path, "can't be followed", &error));
    }
    let name = path.file_name().ok_or_else(|| Failure::Usage(format!("{} names no file", path.display())))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = fs::canonicalize(folder).map_err(|error| failed(folder, "can't be found", &error))?;
    Ok(folder.join(name))
}

/// The hidden file `.NAME.SUFFIX` in the same folder; renaming is one step only within a file system.
pub fn beside(target: &Path, suffix: &str) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!(".{name}.{suffix}"))
}

fn failed(path: &Path, what: &str, error: &std::io::Error) -> Failure {
    Failure::Other(format!("{} {what}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> SecretText {
        SecretText::new("th_u_new".to_owned())
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    fn old(mode: u32) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, "th_u_old\n").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        (folder, path)
    }

    #[test]
    fn a_new_file_is_private_and_holds_only_the_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        Replacement::prepare(&path, false).unwrap().commit(&secret()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "th_u_new\n");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_tighter_mode_stays_and_a_wider_one_is_told() {
        for (before, keep, after, narrowed) in [
            (0o400, false, 0o400, None),
            (0o600, false, 0o600, None),
            (0o644, false, 0o600, Some(0o644)),
            (0o640, true, 0o640, None),
            (0o200, false, 0o600, None),
        ] {
            let (_folder, path) = old(before);
            let replacement = Replacement::prepare(&path, keep).unwrap();
            assert_eq!(replacement.narrowed_from, narrowed, "{before:o}");
            replacement.commit(&secret()).unwrap();
            assert_eq!(mode(&path), after, "{before:o}");
            assert_eq!(fs::read_to_string(&path).unwrap(), "th_u_new\n");
        }
    }

    #[test]
    fn something_longer_is_there_whole_or_not_at_all() {
        let (folder, path) = old(0o644);
        let piece = "x".repeat(3 * ROOM);
        let mut half = Replacement::prepare(&path, false).unwrap();
        half.begin().unwrap();
        half.write(piece.as_bytes()).unwrap();
        drop(half);
        assert_eq!(fs::read_to_string(&path).unwrap(), "th_u_old\n");
        let mut whole = Replacement::prepare(&path, false).unwrap();
        whole.begin().unwrap();
        for _ in 0..2 {
            whole.write(piece.as_bytes()).unwrap();
        }
        whole.finish().unwrap();
        assert_eq!((fs::read_to_string(&path).unwrap(), mode(&path)), (piece.repeat(2), 0o600));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn dropped_before_the_commit_nothing_has_changed() {
        let (folder, path) = old(0o600);
        let replacement = Replacement::prepare(&path, false).unwrap();
        assert_eq!(mode(&beside(&path, "new")), 0o600);
        drop(replacement);
        assert_eq!(fs::read_to_string(&path).unwrap(), "th_u_old\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_reader_with_the_old_file_open_still_reads_it_whole() {
        let (_folder, path) = old(0o600);
        let mut open = File::open(&path).unwrap();
        Replacement::prepare(&path, false).unwrap().commit(&secret()).unwrap();
        let mut text = String::new();
        std::io::Read::read_to_string(&mut open, &mut text).unwrap();
        assert_eq!(text, "th_u_old\n");
    }

    #[test]
    fn a_symbolic_link_stays_and_its_file_is_replaced() {
        let (folder, path) = old(0o600);
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("token", &link).unwrap();
        Replacement::prepare(&link, false).unwrap().commit(&secret()).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&path).unwrap(), "th_u_new\n");
    }

    #[test]
    fn what_can_fail_fails_before_the_commit() {
        let (folder, path) = old(0o600);
        assert!(Replacement::prepare(folder.path(), false).is_err());
        assert!(Replacement::prepare(&folder.path().join("none/token"), false).is_err());
        std::os::unix::fs::symlink("nowhere", folder.path().join("dangling")).unwrap();
        assert!(Replacement::prepare(&folder.path().join("dangling"), false).is_err());
        let _first = Replacement::prepare(&path, false).unwrap();
        assert!(matches!(Replacement::prepare(&path, false), Err(Failure::Conflict(_))));
        assert!(beside(&path, "new").exists(), "the second run must leave the first one's file alone");
    }

    #[test]
    fn a_failed_rename_keeps_the_new_secret_and_tells_where() {
        let (_folder, path) = old(0o600);
        let replacement = Replacement::prepare(&path, false).unwrap();
        // A folder in the target's place can't be replaced by a file.
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        let waiting = beside(&path, "new");
        let said = replacement.commit(&secret()).unwrap_err().to_string();
        assert!(said.contains(&waiting.display().to_string()), "{said}");
        assert_eq!(fs::read_to_string(&waiting).unwrap(), "th_u_new\n");
    }
}
