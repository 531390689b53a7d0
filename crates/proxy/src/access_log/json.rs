//! The little JSON that log lines need, written straight into their buffer.

/// A member's name and colon, and the comma before it unless it is the first.
pub fn member(line: &mut Vec<u8>, name: &str) {
    if line.last() != Some(&b'{') {
        line.push(b',');
    }
    line.push(b'"');
    line.extend_from_slice(name.as_bytes());
    line.extend_from_slice(b"\":");
}

/// A string made of pieces, escaped.
pub fn string<const N: usize>(line: &mut Vec<u8>, pieces: [&str; N]) {
    line.push(b'"');
    for piece in pieces {
        escape(line, piece.as_bytes());
    }
    line.push(b'"');
}

/// A number in decimal, with leading zeros up to a number of digits.
pub fn integer(line: &mut Vec<u8>, value: u64, digits_min: usize) {
    let mut digits = [b'0'; 20];
    let (mut at, mut rest) = (digits.len(), value);
    while rest > 0 {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    line.extend_from_slice(&digits[at.min(digits.len() - digits_min)..]);
}

fn escape(line: &mut Vec<u8>, text: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let is_plain = |byte: &u8| *byte >= b' ' && !matches!(*byte, b'"' | b'\\' | 0x7f);
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| !is_plain(byte)) {
        line.extend_from_slice(&rest[..at]);
        match rest[at] {
            byte @ (b'"' | b'\\') => line.extend_from_slice(&[b'\\', byte]),
            byte => {
                let (high, low) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]);
                line.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            }
        }
        rest = &rest[at + 1..];
    }
    line.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_written_in_decimal() {
        let mut line = Vec::new();
        for (value, digits_min) in [(0, 1), (0, 3), (42, 3), (1234, 3), (u64::MAX, 1)] {
            integer(&mut line, value, digits_min);
            line.push(b' ');
        }
        assert_eq!(line, b"0 000 042 1234 18446744073709551615 ");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(name in "[a-z.]{1,8}", one in any::<String>(), two in any::<String>()) {
            let mut line = b"{".to_vec();
            member(&mut line, "first");
            line.push(b'1');
            member(&mut line, &name);
            string(&mut line, [&one, &two]);
            line.push(b'}');
            prop_assert!(!line.contains(&b'\n'));
            let read: serde_json::Value = serde_json::from_slice(&line).unwrap();
            prop_assert_eq!(read[&name].as_str().unwrap(), format!("{one}{two}"));
        }
    }
}
