//! Pairs of keys: making them, and their public halves as others read them.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeySize, PublicKey};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};
use tokenhouse_model::signing::Algorithm;
use tokenhouse_model::{Error, Result};
use zeroize::Zeroizing;

/// A new pair.
pub(super) struct Pair {
    /// PKCS #8.
    pub(super) private: Zeroizing<Vec<u8>>,
    /// A SubjectPublicKeyInfo in DER.
    pub(super) public: Vec<u8>,
}

/// Makes a pair. Its chance is the library's own, the system's: a key that could be drawn again from somebody else's
/// numbers would be no key. For RSA it takes a tenth of a second or more.
pub(super) fn make(algorithm: Algorithm) -> Result<Pair> {
    let made = match algorithm {
        Algorithm::Rs256 => RsaKeyPair::generate(KeySize::Rsa2048).and_then(|pair| {
            let private = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair)?;
            Ok(halves(private.as_ref(), &public(pair.public_key())?))
        }),
        Algorithm::Es256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .and_then(|pair| Ok(halves(pair.to_pkcs8v1()?.as_ref(), &public(pair.public_key())?))),
        Algorithm::EdDsa => Ed25519KeyPair::generate()
            .and_then(|pair| Ok(halves(pair.to_pkcs8v1()?.as_ref(), &public(pair.public_key())?))),
    };
    made.map_err(|_| Error::internal("a signing key could not be made"))
}

fn halves(private: &[u8], public: &[u8]) -> Pair {
    Pair { private: Zeroizing::new(private.to_vec()), public: public.to_vec() }
}

fn public(
    key: &impl for<'a> AsDer<PublicKeyX509Der<'static>>,
) -> std::result::Result<Vec<u8>, aws_lc_rs::error::Unspecified> {
    Ok(key.as_der()?.as_ref().to_vec())
}

/// A private half, read once for all that it signs.
#[derive(Debug)]
pub(super) enum Signer {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl Signer {
    /// Reads it as PKCS #8.
    pub(super) fn read(algorithm: Algorithm, private: &[u8]) -> Result<Self> {
        let read = match algorithm {
            Algorithm::Rs256 => RsaKeyPair::from_pkcs8(private).map(Self::Rsa),
            Algorithm::Es256 => EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, private).map(Self::Ec),
            Algorithm::EdDsa => Ed25519KeyPair::from_pkcs8(private).map(Self::Ed),
        };
        read.map_err(|_| Error::internal("a stored private key can't be read"))
    }

    /// Signs; the signature as JWS has it (RFC 7518 3.3 and 3.4, RFC 8037 3.1).
    pub(super) fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        let signed = match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), bytes, &mut signature).map(|()| signature)
            }
            Self::Ec(pair) => pair.sign(&SystemRandom::new(), bytes).map(|signature| signature.as_ref().to_vec()),
            Self::Ed(pair) => Ok(pair.sign(bytes).as_ref().to_vec()),
        };
        signed.map_err(|_| Error::internal("nothing could be signed"))
    }
}

/// A public half, read once for all that is checked with it. It checks by its own algorithm, whatever a JWT says.
pub(super) fn checker(algorithm: Algorithm, public: &[u8]) -> Result<ParsedPublicKey> {
    let read = match algorithm {
        Algorithm::Rs256 => ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public),
        Algorithm::Es256 => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public),
        Algorithm::EdDsa => ParsedPublicKey::new(&ED25519, public),
    };
    read.map_err(|_| Error::internal("a stored public key can't be read"))
}

/// The members of a public key as a JSON Web Key (RFC 7517, RFC 7518 6, RFC 8037 2).
pub(super) fn jwk(algorithm: Algorithm, id: &str, public: &[u8]) -> Result<Map<String, Value>> {
    let broken = || Error::internal("a stored public key can't be read");
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let numbers = match algorithm {
        Algorithm::Rs256 => {
            let key = PublicKey::from_der(public).map_err(|_| broken())?;
            let key = RsaPublicKeyComponents::<Vec<u8>>::from(&key);
            json!({ "kty": "RSA", "n": text(&key.n), "e": text(&key.e) })
        }
        // What comes before the key itself in DER is the same for every key of a curve.
        Algorithm::Es256 => {
            let point: &[u8; 65] = public.last_chunk().ok_or_else(broken)?;
            let ([4], rest) = point.split_first_chunk().ok_or_else(broken)? else { return Err(broken()) };
            let (x, y) = rest.split_at(32);
            json!({ "kty": "EC", "crv": "P-256", "x": text(x), "y": text(y) })
        }
        Algorithm::EdDsa => {
            let key: &[u8; 32] = public.last_chunk().ok_or_else(broken)?;
            json!({ "kty": "OKP", "crv": "Ed25519", "x": text(key) })
        }
    };
    let mut members = Map::new();
    for (name, value) in [("kid", id), ("alg", algorithm.as_str()), ("use", "sig")] {
        members.insert(name.to_owned(), value.into());
    }
    if let Value::Object(numbers) = numbers {
        members.extend(numbers);
    }
    Ok(members)
}

/// A public key as PEM (RFC 7468 13).
pub(super) fn pem(public: &[u8]) -> String {
    let text = STANDARD.encode(public);
    let mut pem = String::from("-----BEGIN PUBLIC KEY-----\n");
    for line in text.as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem.push_str("-----END PUBLIC KEY-----\n");
    pem
}
