//! Second implementations to compare with: slow, short, and written from the specification alone.

use percent_encoding::percent_decode_str;

/// A template's method, as the deployment has it.
pub struct Templated {
    pub parts: Vec<String>,
    pub verb: String,
}

/// Which method a path below the stage and a verb mean, by trying every template.
pub fn route(methods: &[Templated], path: &str, verb: &str) -> Option<usize> {
    let body = path.strip_prefix('/').unwrap_or(path);
    let body = body.strip_suffix('/').unwrap_or(body);
    let segments: Vec<String> = match body {
        "" => Vec::new(),
        _ => body
            .split('/')
            .map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned())
            .collect(),
    };
    let fitting: Vec<(Vec<u8>, usize)> = methods
        .iter()
        .enumerate()
        .filter_map(|(index, method)| Some((rank(&method.parts, &segments)?, index)))
        .collect();
    let best = fitting.iter().map(|(rank, _)| rank).min()?;
    let of = |rank: &Vec<u8>| {
        let same: Vec<usize> = fitting
            .iter()
            .filter(|(own, _)| own == rank)
            .map(|(_, index)| *index)
            .collect();
        let with = |wanted: &str| {
            same.iter()
                .copied()
                .find(|index| methods[*index].verb == wanted)
        };
        const ANY: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];
        with(verb)
            .filter(|_| verb != "ANY") // nobody's verb
            .or_else(|| with("ANY").filter(|_| ANY.contains(&verb)))
    };
    of(best).or_else(|| {
        let mut greedy: Vec<&Vec<u8>> = fitting
            .iter()
            .map(|(rank, _)| rank)
            .filter(|rank| rank.last() == Some(&GREEDY))
            .collect();
        greedy.sort();
        greedy.into_iter().find_map(of)
    })
}

const GREEDY: u8 = 2;

/// What a template's parts are (literal before variable before greedy), if the template fits.
fn rank(parts: &[String], segments: &[String]) -> Option<Vec<u8>> {
    let mut rank = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let segment = segments.get(index)?;
        if part.ends_with("+}") {
            rank.push(GREEDY);
            return Some(rank);
        }
        match part.starts_with('{') {
            true if segment.is_empty() => return None,
            true => rank.push(1),
            false if part != segment => return None,
            false => rank.push(0),
        }
    }
    (parts.len() == segments.len()).then_some(rank)
}

/// What a chunked body says, and whether it is whole. None when it is no such body.
pub fn dechunked(mut raw: &[u8]) -> Option<(Vec<u8>, bool)> {
    let mut body = Vec::new();
    loop {
        let Some(end) = raw.windows(2).position(|pair| pair == b"\r\n") else {
            return Some((body, false));
        };
        let line = std::str::from_utf8(&raw[..end]).ok()?;
        let size = usize::from_str_radix(line.split(';').next()?, 16).ok()?;
        raw = &raw[end + 2..];
        if size == 0 {
            let is_whole = raw == b"\r\n" || raw.ends_with(b"\r\n\r\n");
            return Some((body, is_whole));
        }
        if raw.len() < size + 2 {
            body.extend_from_slice(&raw[..raw.len().min(size)]);
            return Some((body, false));
        }
        body.extend_from_slice(&raw[..size]);
        raw = raw[size..].strip_prefix(b"\r\n")?;
    }
}
