//! Runs a fuzz target over its committed seeds and over many small changes of them: what a machine without a
//! nightly toolchain has of the fuzzing, and what keeps a seed that once failed from failing again.

use std::path::Path;

/// Changed copies of each seed; the same ones on every run.
const CHANGES: u64 = 1_000;

/// Seeds are in `fuzz/seeds/<target>`, one input a file.
pub fn replay(target: &str, run: fn(&[u8])) {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|dir| dir.join("fuzz/seeds").join(target))
        .find(|dir| dir.is_dir())
        .unwrap_or_else(|| panic!("there is no fuzz/seeds/{target}"));
    let mut files: Vec<_> = std::fs::read_dir(&seeds)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", seeds.display());
    let all: Vec<Vec<u8>> = files
        .iter()
        .map(|file| std::fs::read(file).unwrap())
        .collect();
    for seed in &all {
        run(seed);
    }
    let mut dice = Dice(0x0070_1194_7e00);
    for seed in &all {
        for _ in 0..CHANGES {
            run(&changed(seed, &all, &mut dice));
        }
    }
}

/// A seed with one to four of its bytes changed, dropped or doubled, or continued with another seed.
fn changed(seed: &[u8], all: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    const ODD: &[u8] = b"\0\t\n\r \"#$%&'()+,-./0129:;<=?@AZ[\\]_az{|}~\x7f\x80\xc3\xff";
    let mut bytes = seed.to_vec();
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len() + 1);
        match dice.below(6) {
            0 | 1 if at < bytes.len() => bytes[at] = ODD[dice.below(ODD.len())],
            2 => bytes.insert(at, ODD[dice.below(ODD.len())]),
            3 if at < bytes.len() => drop(bytes.remove(at)),
            4 => {
                let end = (at + 1 + dice.below(20)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            _ => {
                let other = &all[dice.below(all.len())];
                bytes.truncate(at);
                bytes.extend_from_slice(&other[dice.below(other.len() + 1)..]);
            }
        }
    }
    bytes
}

/// splitmix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % end as u64) as usize
    }
}
