//! A disk that can be full: a small one in memory where mounting is permitted.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A mounted disk; unmounted when dropped.
#[derive(Debug)]
pub struct Disk {
    /// Where it stands.
    pub path: PathBuf,
}

impl Disk {
    /// Mounts one of so many bytes in a new folder; `None` where that is not permitted.
    pub fn mount(path: &Path, bytes: u64) -> Option<Self> {
        std::fs::create_dir_all(path).unwrap();
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &format!("size={bytes},mode=0755"), "tmpfs"]).arg(path);
        let mounted = command.output().is_ok_and(|ended| ended.status.success());
        mounted.then(|| Self { path: path.to_owned() })
    }

    /// Unmounts what is mounted there, also while it is in use.
    pub fn unmount(path: &Path) {
        if path.exists() {
            let _ = Command::new("umount").arg("--lazy").arg(path).output();
        }
    }

    /// Takes all the space that is left.
    pub fn fill(&self) {
        use std::io::Write as _;
        let mut file = std::fs::File::create(self.filler()).unwrap();
        let (mut bytes, mut length) = (vec![0; 1 << 20], 1 << 20);
        // Ever smaller pieces, to the last byte.
        while length > 0 {
            if file.write_all(&bytes).is_err() {
                length /= 2;
                bytes.truncate(length);
            }
        }
    }

    /// Gives the space back.
    pub fn free(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> PathBuf {
        self.path.join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        Self::unmount(&self.path);
    }
}
