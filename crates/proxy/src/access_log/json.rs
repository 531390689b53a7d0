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

/// A number in decimal.
pub fn integer(line: &mut Vec<u8>, value: u64) {
    line.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Thousandths after a decimal point, three digits.
pub fn thousandths(line: &mut Vec<u8>, value: u64) {
    let digit = |value: u64| b'0' + (value % 10) as u8;
    line.extend_from_slice(&[b'.', digit(value / 100), digit(value / 10), digit(value)]);
}

/// Bytes that are escaped.
const ODD: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = byte < 0x20 || byte == 0x22 || byte == 0x5c || byte == 0x7f;
        byte += 1;
    }
    table
};

/// A text without its quotes.
pub fn escape(line: &mut Vec<u8>, text: &[u8]) {
    // Nearly every text is plain.
    if !text.iter().any(|byte| ODD[usize::from(*byte)]) {
        return line.extend_from_slice(text);
    }
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| ODD[usize::from(*byte)]) {
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
        for value in [0, 7, 1234, u64::MAX] {
            integer(&mut line, value);
            line.push(b' ');
        }
        for value in [0, 7, 42, 999] {
            thousandths(&mut line, value);
        }
        assert_eq!(line, b"0 7 1234 18446744073709551615 .000.007.042.999");
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
