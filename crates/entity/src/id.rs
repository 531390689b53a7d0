//! How ids and generated key values are made: lower-case letters and digits from a random source
//! that the caller hands in (the operating system's, outside tests).

use rand::{CryptoRng, RngExt};

const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
const MIXED: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Characters in a generated API key value, as AWS's.
pub const GENERATED_VALUE_CHARS: usize = 40;

/// Ten characters: RestApi, root Resource, ApiKey.
pub fn ten(rng: &mut impl CryptoRng) -> String {
    from(LOWER, 10, rng)
}

/// Six characters: Resource, Deployment, UsagePlan, Model.
pub fn six(rng: &mut impl CryptoRng) -> String {
    from(LOWER, 6, rng)
}

/// Forty letters and digits: the value of an API key (238 bits).
pub fn key_value(rng: &mut impl CryptoRng) -> String {
    from(MIXED, GENERATED_VALUE_CHARS, rng)
}

/// An access key id in AWS's shape: `AKIA` and sixteen capitals and digits.
pub fn access_key_id(rng: &mut impl CryptoRng) -> String {
    format!("AKIA{}", from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16, rng))
}

/// The secret of an access key: forty letters and digits.
pub fn access_key_secret(rng: &mut impl CryptoRng) -> String {
    from(MIXED, 40, rng)
}

fn from(alphabet: &[u8], chars: usize, rng: &mut impl CryptoRng) -> String {
    (0..chars)
        .map(|_| char::from(alphabet[rng.random_range(0..alphabet.len())]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{SeedableRng, rngs::StdRng};

    #[test]
    fn shapes_are_those_of_aws() {
        let mut rng = StdRng::seed_from_u64(1);
        assert_eq!(ten(&mut rng).len(), 10);
        assert_eq!(six(&mut rng).len(), 6);
        let value = key_value(&mut rng);
        assert_eq!(value.len(), 40);
        assert!(value.chars().all(|c| c.is_ascii_alphanumeric()));
        let id = access_key_id(&mut rng);
        assert!(id.starts_with("AKIA") && id.len() == 20);
    }
}
