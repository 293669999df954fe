//! The master key, the orgs' data keys under it, and what is sealed under those.

use std::fmt;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use tokenhouse_model::env::Random;
use tokenhouse_model::hex::{hex, unhex};
use tokenhouse_model::{Error, ErrorKind, Refusal, Result, Uuid};
use zeroize::Zeroizing;

const NONCE: usize = 12;
/// The place of a signing key's private half.
const SIGNING: &str = "signing_key.sealed";

/// Under what a thing was sealed: the table and the id of its row, so that a sealed value can't be moved to another.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The table and column.
    pub what: &'static str,
    /// The row.
    pub id: Uuid,
}

impl Place {
    fn bytes(self) -> Vec<u8> {
        [self.what.as_bytes(), b"\0", self.id.as_bytes()].concat()
    }
}

/// The key above all others. `Debug` shows its id.
#[derive(Clone)]
pub struct MasterKey {
    seal: Zeroizing<[u8; 32]>,
    mac: Zeroizing<[u8; 32]>,
    id: String,
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id)
    }
}

impl MasterKey {
    /// Reads 64 hexadecimal digits.
    ///
    /// # Errors
    /// A message that says where it was looked for, never what stood there.
    pub fn parse(text: &str, from: &str) -> Result<Self> {
        let bytes = unhex(text.trim())
            .ok_or_else(|| refused(format!("{from} does not hold a master key (64 hexadecimal digits)")))?;
        let root = Zeroizing::new(bytes);
        let id = derive(&*root, "id");
        Ok(Self { seal: derive(&*root, "seal"), mac: derive(&*root, "mac"), id: hex(id.get(..8).unwrap_or_default()) })
    }

    /// Reads the key file, refusing one that others may read.
    ///
    /// # Errors
    /// `not_found` kind where there is no file; else a message that says what to do.
    pub fn read(path: &Path) -> Result<Self> {
        let shown = path.display();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let message = format!(
                    "the master key file {shown} is missing; without it sealed data can't be read. \
                     Put back the file that was made with this database (keys.master_file, keys.master_env)"
                );
                return Err(Error::new(ErrorKind::NotFound, Refusal::Plain, message).because(error));
            }
            Err(error) => {
                return Err(refused(format!("the master key file {shown} can't be read: {error}")).because(error));
            }
        };
        let mode = std::fs::metadata(path).map(|meta| meta.permissions().mode() & 0o077).unwrap_or(0);
        if mode != 0 {
            return Err(refused(format!("others may read the master key file {shown}; run: chmod 600 {shown}")));
        }
        Self::parse(&text, &format!("the master key file {shown}"))
    }

    /// Makes a key file that only its owner may read, and reads it back. An existing file is never overwritten.
    ///
    /// # Errors
    /// A message with the path.
    pub fn create(path: &Path, random: &Random) -> Result<Self> {
        let text = Zeroizing::new(format!("{}\n", hex(&*Zeroizing::new(random.bytes::<32>()))));
        let made = (|| {
            if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                std::fs::create_dir_all(folder)?;
            }
            let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })();
        made.map_err(|error| {
            refused(format!("the master key file {} can't be made: {error}", path.display())).because(error)
        })?;
        Self::read(path)
    }

    /// Which key it is, without giving it away: 16 hexadecimal digits, kept in the database.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Checks that it is the one of this id, under which a database was sealed.
    ///
    /// # Errors
    /// `conflict` with both ids.
    pub(crate) fn must_be(&self, id: &str) -> Result<()> {
        if self.id == id {
            return Ok(());
        }
        let given = &self.id;
        Err(refused(format!(
            "this database is sealed under the master key {id}, but the given one is {given}; nothing was changed"
        )))
    }

    /// Makes an org's data key, wrapped.
    ///
    /// # Errors
    /// `internal`.
    pub fn make_data_key(&self, org: Uuid, random: &Random) -> Result<Vec<u8>> {
        let key = Zeroizing::new(random.bytes::<32>());
        seal(&self.seal, Place { what: "org.data_key", id: org }, &*key, random)
    }

    /// Unwraps an org's data key.
    ///
    /// # Errors
    /// `internal` where the wrapped key was altered or belongs to another org.
    pub fn open_data_key(&self, org: Uuid, wrapped: &[u8]) -> Result<DataKey> {
        let opened = open(&self.seal, Place { what: "org.data_key", id: org }, wrapped)?;
        let key = opened.as_slice().try_into().map_err(|_| Error::internal("a data key of the wrong length"))?;
        Ok(DataKey(Zeroizing::new(key)))
    }

    /// Seals the private half of the signing key of this id.
    ///
    /// # Errors
    /// `internal`.
    pub fn seal_signing(&self, id: Uuid, private: &[u8], random: &Random) -> Result<Vec<u8>> {
        seal(&self.seal, Place { what: SIGNING, id }, private, random)
    }

    /// Opens it.
    ///
    /// # Errors
    /// `internal` where it was altered or belongs to another key.
    pub fn open_signing(&self, id: Uuid, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        open(&self.seal, Place { what: SIGNING, id }, sealed)
    }

    /// The message authentication code of a journal line, in hexadecimal.
    pub fn mac(&self, bytes: &[u8]) -> String {
        hex(&code(&*self.mac, bytes))
    }

    /// Whether this code belongs to these bytes, compared in constant time.
    pub fn mac_is(&self, bytes: &[u8], mac: &str) -> bool {
        use subtle::ConstantTimeEq as _;
        self.mac(bytes).as_bytes().ct_eq(mac.as_bytes()).into()
    }
}

/// An org's own key, unwrapped. Wiped when dropped.
pub struct DataKey(Zeroizing<[u8; 32]>);

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(..)")
    }
}

impl DataKey {
    /// Seals bytes for one row.
    ///
    /// # Errors
    /// `internal`.
    pub fn seal(&self, place: Place, plain: &[u8], random: &Random) -> Result<Vec<u8>> {
        seal(&self.0, place, plain, random)
    }

    /// Opens what was sealed for that row.
    ///
    /// # Errors
    /// `internal` where it was altered or moved.
    pub fn open(&self, place: Place, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        open(&self.0, place, sealed)
    }
}

fn seal(key: &[u8; 32], place: Place, plain: &[u8], random: &Random) -> Result<Vec<u8>> {
    let nonce: [u8; NONCE] = random.bytes();
    let payload = Payload { msg: plain, aad: &place.bytes() };
    let cipher = Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key));
    let sealed = cipher.encrypt(&Nonce::from(nonce), payload).map_err(|_| Error::internal("sealing failed"))?;
    Ok([nonce.as_slice(), &sealed].concat())
}

fn open(key: &[u8; 32], place: Place, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let wrong = || {
        Error::internal(format!(
            "{} of {} can't be opened: it was altered, or sealed under another key",
            place.what, place.id
        ))
    };
    let (nonce, rest) = sealed.split_first_chunk::<NONCE>().ok_or_else(wrong)?;
    let cipher = Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key));
    let opened = cipher.decrypt(&Nonce::from(*nonce), Payload { msg: rest, aad: &place.bytes() });
    opened.map(Zeroizing::new).map_err(|_| wrong())
}

fn derive(root: &[u8], label: &str) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(code(root, format!("tokenhouse master key {label} 1").as_bytes()))
}

fn code(key: &[u8], bytes: &[u8]) -> [u8; 32] {
    // HMAC takes a key of any length.
    let Ok(mut mac) = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key) else { return [0; 32] };
    mac.update(bytes);
    mac.finalize().into_bytes().into()
}

fn refused(message: String) -> Error {
    Error::new(ErrorKind::Conflict, Refusal::Plain, message)
}
