//! Which boot of the machine this is and how long it has been up, where the system tells.

use std::fs;

/// A name of the current boot, different after each restart of the machine. None where unknown.
pub fn boot_id() -> Option<String> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let id = text.trim();
    (!id.is_empty()).then(|| id.to_owned())
}

/// Milliseconds since the machine started, time asleep included. None where unknown.
pub fn boot_ms() -> Option<u64> {
    parse_uptime(&fs::read_to_string("/proc/uptime").ok()?)
}

/// `"<seconds>.<hundredths> <idle seconds>"`.
fn parse_uptime(text: &str) -> Option<u64> {
    let (seconds, hundredths) = text.split_whitespace().next()?.split_once('.')?;
    let seconds: u64 = seconds.parse().ok()?;
    let hundredths: u64 = hundredths.get(..2)?.parse().ok()?;
    seconds.checked_mul(1000)?.checked_add(hundredths * 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uptime_is_read_to_the_hundredth() {
        assert_eq!(parse_uptime("350735.47 234388.90\n"), Some(350_735_470));
        assert_eq!(parse_uptime("0.05 0.00"), Some(50));
        for foreign in ["", "12", "x.10 1", "1.x 1", "1.2 1"] {
            assert_eq!(parse_uptime(foreign), None, "{foreign:?}");
        }
    }
}
