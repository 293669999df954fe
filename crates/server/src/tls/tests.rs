use std::path::PathBuf;

use super::*;

/// A self-signed pair for localhost in this folder, and its certificate in PEM.
pub(crate) fn pair(folder: &Path) -> (TlsFiles, String) {
    let files = TlsFiles { certificate: folder.join("cert.pem"), key: folder.join("key.pem") };
    let pem = write_pair(&files);
    (files, pem)
}

pub(crate) fn write_pair(files: &TlsFiles) -> String {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    fs::write(&files.certificate, made.cert.pem()).unwrap();
    made.cert.pem()
}

fn served(certificate: &Certificate) -> Vec<u8> {
    certificate.current.load().cert[0].to_vec()
}

async fn until(what: impl Fn() -> bool) -> bool {
    for _ in 0..200 {
        if what() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

#[test]
fn wrong_files_are_named_and_their_text_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let (files, _) = pair(folder.path());
    assert!(load(&files).is_ok());
    let said = |files: TlsFiles| load(&files).unwrap_err().to_string();
    let none = said(TlsFiles { certificate: PathBuf::from("/nowhere/c.pem"), ..files.clone() });
    assert!(none.starts_with("/nowhere/c.pem: "), "{none}");
    // The two exchanged: a key file holds no certificate.
    let exchanged = said(TlsFiles { certificate: files.key.clone(), key: files.certificate.clone() });
    assert!(exchanged.contains("key.pem: holds no certificate"), "{exchanged}");
    let other = tempfile::tempdir().unwrap();
    let (foreign, _) = pair(other.path());
    let mismatch = said(TlsFiles { key: foreign.key, ..files.clone() });
    assert!(mismatch.contains("is not the key of"), "{mismatch}");
    fs::write(&files.key, "-----BEGIN PRIVATE KEY-----\naHVudGVyMg==\n-----END PRIVATE KEY-----\n").unwrap();
    let broken = said(files);
    assert!(broken.contains("key.pem: ") && !broken.contains("aHVudGVyMg"), "{broken}");
}

#[tokio::test]
async fn a_changed_pair_is_served_and_a_broken_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (files, _) = pair(folder.path());
    let certificate = Certificate::open(&files).unwrap();
    let first = served(&certificate);
    let follow = tokio::spawn(certificate.clone().follow_every(Duration::from_millis(10)));

    fs::write(&files.certificate, "half written").unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(served(&certificate), first, "the old one goes on serving");
    fs::remove_file(&files.key).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(served(&certificate), first);

    write_pair(&files);
    assert!(until(|| served(&certificate) != first).await, "a good pair after a broken one is taken");
    let second = served(&certificate);
    // Exchanged behind a link, as orchestrators do it: name and folder stay, the inode does not.
    let (next, _) = pair(tempfile::tempdir_in(folder.path()).unwrap().keep().as_path());
    fs::rename(&next.key, &files.key).unwrap();
    fs::rename(&next.certificate, &files.certificate).unwrap();
    assert!(until(|| served(&certificate) != second).await);
    follow.abort();
}
