//! Secrets at rest: the master key, the digests that keys are looked up by, and sealed values.
//!
//! The master key (32 random bytes) gives three keys that do not tell each other: the pepper of the
//! digests, the sealing key, and a check value kept in `config.db` so that a wrong master key is
//! noticed at start. After a rotation the pepper is the first master key's still (keys of which only
//! the digest is kept could not be found otherwise): it lies in `config.db`, sealed by the new one. A value is sealed with XChaCha20-Poly1305 under a random nonce and bound to the
//! id it belongs to, so that a sealed value moved to another row does not open.

use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::StoreError;

/// Bytes of a master key.
pub const MASTER_KEY_BYTES: usize = 32;
/// Bytes of a digest.
pub const DIGEST_BYTES: usize = 16;
const NONCE_BYTES: usize = 24;

const PEPPER: &str = "tollgate 2026-11 pepper of api key digests";
const SEALING: &str = "tollgate 2026-11 sealing of values at rest";
const CHECK: &str = "tollgate 2026-11 check of the master key";

/// What an API key is looked up by: the first half of a keyed BLAKE3 hash of its value.
pub type Digest = [u8; DIGEST_BYTES];

/// The key that all other keys of a data directory are derived from.
#[derive(Clone)]
pub struct MasterKey(Zeroizing<[u8; MASTER_KEY_BYTES]>);

/// A text is not a master key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a master key is 64 hexadecimal digits")]
pub struct NotAMasterKey;

impl MasterKey {
    /// Reads 64 hexadecimal digits, white space around them allowed.
    pub fn from_hex(text: &str) -> Result<Self, NotAMasterKey> {
        let digits = text.trim().as_bytes();
        if digits.len() != 2 * MASTER_KEY_BYTES {
            return Err(NotAMasterKey);
        }
        let mut key = Zeroizing::new([0; MASTER_KEY_BYTES]);
        for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = hex(pair[0])? << 4 | hex(pair[1])?;
        }
        Ok(MasterKey(key))
    }

    /// A new key from the operating system's random source.
    pub fn generate() -> Result<Self, StoreError> {
        let mut key = Zeroizing::new([0; MASTER_KEY_BYTES]);
        random(key.as_mut_slice())?;
        Ok(MasterKey(key))
    }

    /// The key as `from_hex` reads it.
    pub fn to_hex(&self) -> Zeroizing<String> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = Zeroizing::new(String::with_capacity(2 * MASTER_KEY_BYTES));
        for byte in self.0.iter() {
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        text
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

fn hex(digit: u8) -> Result<u8, NotAMasterKey> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(NotAMasterKey),
    }
}

/// A value that must not be printed: a key's value, an access key's secret. Wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(Zeroizing<String>);

impl SecretValue {
    pub fn new(value: String) -> Self {
        SecretValue(Zeroizing::new(value))
    }

    /// The value itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for SecretValue {
    fn from(value: String) -> Self {
        SecretValue::new(value)
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(…)")
    }
}

/// Makes the digests of one data directory; on the request path, so small and copied.
#[derive(Clone, Copy)]
pub struct Digester {
    pepper: [u8; 32],
}

impl Digester {
    /// For a data directory's own digests see [`crate::Store::digester`].
    pub fn new(pepper: [u8; 32]) -> Digester {
        Digester { pepper }
    }

    /// The digest of a key's value.
    pub fn digest(&self, value: impl AsRef<[u8]>) -> Digest {
        let whole = blake3::keyed_hash(&self.pepper, value.as_ref());
        let mut half = [0; DIGEST_BYTES];
        half.copy_from_slice(&whole.as_bytes()[..DIGEST_BYTES]);
        half
    }
}

impl fmt::Debug for Digester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digester(…)")
    }
}

/// What a sealed value belongs to.
#[derive(Clone, Copy)]
pub(crate) struct Owner<'a> {
    pub kind: &'a str,
    pub id: &'a str,
}

impl Owner<'_> {
    /// The authenticated bytes beside the value. Kinds hold no NUL, so two owners never share them.
    fn bytes(&self) -> Vec<u8> {
        [self.kind.as_bytes(), &[0], self.id.as_bytes()].concat()
    }
}

/// Seals, opens and digests with the keys of one data directory.
pub(crate) struct Vault {
    digester: Digester,
    cipher: XChaCha20Poly1305,
    check: [u8; 32],
}

/// What the sealed pepper belongs to.
const PEPPER_OWNER: Owner<'_> = Owner {
    kind: "pepper",
    id: "",
};

impl Vault {
    pub fn new(master: &MasterKey) -> Self {
        let sealing = Zeroizing::new(blake3::derive_key(SEALING, master.0.as_slice()));
        Vault {
            digester: Digester {
                pepper: blake3::derive_key(PEPPER, master.0.as_slice()),
            },
            cipher: XChaCha20Poly1305::new((&*sealing).into()),
            check: blake3::derive_key(CHECK, master.0.as_slice()),
        }
    }

    pub fn digester(&self) -> Digester {
        self.digester
    }

    /// Takes over a pepper that `seal_pepper` of a vault of this master key gave.
    pub fn with_pepper(mut self, sealed: &[u8]) -> Result<Self, StoreError> {
        let hex = self.unseal(PEPPER_OWNER, sealed)?;
        let pepper = MasterKey::from_hex(hex.expose()).map_err(|_| unopened(PEPPER_OWNER))?;
        self.digester.pepper = *pepper.0;
        Ok(self)
    }

    /// The pepper of another vault, sealed by this one.
    pub fn seal_pepper(&self, of: &Vault) -> Result<Vec<u8>, StoreError> {
        let pepper = MasterKey(Zeroizing::new(of.digester.pepper));
        self.seal(PEPPER_OWNER, &pepper.to_hex())
    }

    /// A value that only this master key gives, and that does not give the master key.
    pub fn check(&self) -> &[u8; 32] {
        &self.check
    }

    /// Nonce and ciphertext in one.
    pub fn seal(&self, owner: Owner<'_>, value: &str) -> Result<Vec<u8>, StoreError> {
        let mut nonce = [0; NONCE_BYTES];
        random(&mut nonce)?;
        let message = Payload {
            msg: value.as_bytes(),
            aad: &owner.bytes(),
        };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), message);
        let sealed = sealed.map_err(|_| unopened(owner))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    pub fn unseal(&self, owner: Owner<'_>, sealed: &[u8]) -> Result<SecretValue, StoreError> {
        let (nonce, sealed) = sealed
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or_else(|| unopened(owner))?;
        let message = Payload {
            msg: sealed,
            aad: &owner.bytes(),
        };
        let opened = self.cipher.decrypt(&XNonce::from(*nonce), message);
        let value = opened.ok().and_then(|bytes| String::from_utf8(bytes).ok());
        value.map(SecretValue::new).ok_or_else(|| unopened(owner))
    }
}

fn unopened(owner: Owner<'_>) -> StoreError {
    StoreError::Sealed {
        kind: owner.kind.into(),
        id: owner.id.into(),
    }
}

/// Fills `bytes` from the operating system's random source.
pub(crate) fn random(bytes: &mut [u8]) -> Result<(), StoreError> {
    getrandom::fill(bytes).map_err(|error| StoreError::Random(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Owner<'_> = Owner {
        kind: "api_key",
        id: "k1",
    };

    fn vault(text: &str) -> Vault {
        Vault::new(&MasterKey::from_hex(text).unwrap())
    }

    #[test]
    fn a_value_opens_only_for_its_owner_and_its_master_key() {
        let (a, b) = (vault(&"a1".repeat(32)), vault(&"a2".repeat(32)));
        let sealed = a.seal(OWNER, "the value").unwrap();
        assert_eq!(a.unseal(OWNER, &sealed).unwrap().expose(), "the value");
        assert!(b.unseal(OWNER, &sealed).is_err());
        assert!(
            a.unseal(
                Owner {
                    kind: "api_key",
                    id: "k2"
                },
                &sealed
            )
            .is_err()
        );
        assert!(
            a.unseal(
                Owner {
                    kind: "access_key",
                    id: "k1"
                },
                &sealed
            )
            .is_err()
        );
        assert!(a.unseal(OWNER, &sealed[..20]).is_err());
        let mut changed = sealed.clone();
        changed[NONCE_BYTES] ^= 1;
        assert!(a.unseal(OWNER, &changed).is_err());
        assert_ne!(
            a.seal(OWNER, "the value").unwrap(),
            sealed,
            "a nonce was used twice"
        );
    }

    #[test]
    fn digests_depend_on_the_master_key_and_are_stable() {
        let (a, b) = (vault(&"a1".repeat(32)), vault(&"a2".repeat(32)));
        assert_eq!(a.digester().digest("v"), a.digester().digest(b"v"));
        assert_ne!(a.digester().digest("v"), a.digester().digest("w"));
        assert_ne!(a.digester().digest("v"), b.digester().digest("v"));
    }

    #[test]
    fn master_keys_are_read_as_they_are_written() {
        let text = "00ff10a9".repeat(8);
        assert_eq!(
            *MasterKey::from_hex(&format!(" {text}\n")).unwrap().to_hex(),
            text
        );
        assert_eq!(
            MasterKey::from_hex(&text.to_uppercase())
                .unwrap()
                .to_hex()
                .as_str(),
            text
        );
        assert!(MasterKey::from_hex(&text[1..]).is_err());
        assert!(MasterKey::from_hex(&"g0".repeat(32)).is_err());
        assert!(MasterKey::from_hex("").is_err());
        assert!(MasterKey::from_hex(&"é".repeat(32)).is_err());
    }

    #[test]
    fn secrets_do_not_print_themselves() {
        let value = SecretValue::new("canary".into());
        let key = MasterKey::generate().unwrap();
        let printed = format!("{value:?} {key:?} {:?}", Vault::new(&key).digester());
        assert_eq!(printed, "SecretValue(…) MasterKey(…) Digester(…)");
    }
}
