//! Bare signatures of the library that the program signs with.

use std::hint::black_box;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use tokenhouse_model::signing::Algorithm;

/// Keys of the bench's own.
#[derive(Debug)]
pub struct Bare {
    rsa: RsaKeyPair,
    ec: EcdsaKeyPair,
    ed: Ed25519KeyPair,
}

impl Default for Bare {
    fn default() -> Self {
        Self {
            rsa: RsaKeyPair::generate(KeySize::Rsa2048).expect("a key"),
            ec: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key"),
            ed: Ed25519KeyPair::generate().expect("a key"),
        }
    }
}

impl Bare {
    /// Signs, and throws the signature away.
    pub fn sign(&self, algorithm: Algorithm, bytes: &[u8]) {
        match algorithm {
            Algorithm::Rs256 => {
                let mut signature = vec![0; self.rsa.public_modulus_len()];
                self.rsa.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), bytes, &mut signature).expect("a signature");
                black_box(signature);
            }
            Algorithm::Es256 => drop(black_box(self.ec.sign(&SystemRandom::new(), bytes).expect("a signature"))),
            Algorithm::EdDsa => drop(black_box(self.ed.sign(bytes))),
        }
    }
}
