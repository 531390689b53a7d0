//! Reads what strace wrote down about a process: what it did to its files, in order, and what it said on its sockets.

use std::collections::HashMap;
use std::path::Path;

/// What a call of the system did.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    Open {
        path: String,
        creates: bool,
        truncates: bool,
        appends: bool,
        descriptor: u32,
    },
    Seek {
        descriptor: u32,
        to: u64,
    },
    /// Without a place it goes where the descriptor stands.
    Write {
        descriptor: u32,
        place: Option<u64>,
        bytes: Vec<u8>,
    },
    Truncate {
        descriptor: u32,
        length: u64,
    },
    /// fsync or fdatasync of a file or a directory.
    Sync {
        path: String,
        descriptor: u32,
    },
    Rename {
        from: String,
        to: String,
    },
    Unlink {
        path: String,
    },
    /// Bytes on a socket.
    Say(Vec<u8>),
}

/// A moment of the trace: a call began, or ended and succeeded. Calls of different threads overlap.
#[derive(Debug, Clone, PartialEq)]
pub enum Moment {
    Began { call: usize, at_ms: i64, act: Act },
    Ended { call: usize },
}

/// The calls that are traced.
const CALLS: &str = "trace=openat,open,creat,lseek,write,writev,pwrite64,pwritev,ftruncate,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,sendto,sendmsg";

/// The words to put before a command so that it is traced into `file`, as a direct child of whoever runs it.
pub fn strace(file: &Path) -> Vec<String> {
    let file = file.display().to_string();
    let words = [
        "strace",
        "-D",
        "-f",
        "-ttt",
        "-y",
        "-xx",
        "-s",
        "4194304",
        "-o",
        &file,
        "-e",
        CALLS,
        "-e",
        "signal=SIGKILL",
    ];
    words.map(str::to_owned).to_vec()
}

/// The moments that concern files below `home`, and everything said.
pub fn read(text: &str, home: &Path) -> Vec<Moment> {
    let mut reading = Reading {
        home: format!("{}/", home.display()),
        open: HashMap::new(),
        moments: Vec::new(),
        calls: 0,
    };
    for line in text.lines() {
        reading.line(line);
    }
    reading.moments
}

struct Reading {
    home: String,
    /// Of each thread, what of its call was printed, when it began and its number once it is a moment.
    open: HashMap<String, (String, i64, Option<usize>)>,
    moments: Vec<Moment>,
    calls: usize,
}

impl Reading {
    fn line(&mut self, line: &str) {
        let Some((thread, rest)) = line.split_once(' ') else {
            return;
        };
        let Some((time, rest)) = rest.trim_start().split_once(' ') else {
            return;
        };
        let rest = rest.trim_start();
        let at_ms = (time.parse::<f64>().unwrap_or_default() * 1000.0) as i64;
        if let Some(begun) = rest.strip_suffix(" <unfinished ...>") {
            let number = self.begin(begun, at_ms, None);
            self.open
                .insert(thread.into(), (begun.to_owned(), at_ms, number));
        } else if rest.starts_with("<... ") {
            let (_, tail) = rest.split_once(" resumed>").unwrap_or_default();
            let Some((head, began_ms, number)) = self.open.remove(thread) else {
                return;
            };
            self.end(&(head + tail), began_ms, number);
        } else if rest.contains('(') {
            self.end(rest, at_ms, None);
        }
    }

    /// A call that is not over: only its beginning counts, as far as it can be told by now.
    fn begin(&mut self, call: &str, at_ms: i64, answer: Option<&str>) -> Option<usize> {
        let act = self.act(call, answer)?;
        let number = self.calls;
        self.calls += 1;
        self.moments.push(Moment::Began {
            call: number,
            at_ms,
            act,
        });
        Some(number)
    }

    fn end(&mut self, whole: &str, at_ms: i64, number: Option<usize>) {
        let Some((call, answer)) = whole.rsplit_once(" = ") else {
            return; // the process was killed in the middle of it
        };
        let call = call.trim_end();
        // What failed has begun, at most.
        let failed = answer.starts_with('-') || answer.starts_with('?');
        if failed && number.is_none() {
            let is_write = call.starts_with('w') || call.starts_with("pw");
            if is_write && !answer.contains("ENOSPC") {
                self.begin(call, at_ms, None);
            }
            return;
        }
        let number = number.or_else(|| self.begin(call, at_ms, Some(answer)));
        if let (Some(call), false) = (number, failed) {
            self.moments.push(Moment::Ended { call });
        }
    }

    fn act(&self, call: &str, answer: Option<&str>) -> Option<Act> {
        let (name, arguments) = call.split_once('(')?;
        let arguments = arguments.strip_suffix(')').unwrap_or(arguments);
        let descriptor = || -> Option<u32> {
            let digits = arguments.find(|c: char| !c.is_ascii_digit())?;
            arguments[..digits].parse().ok()
        };
        // The path that strace shows beside the descriptor.
        let shown = || -> Option<String> {
            let inside = arguments.split_once('<')?.1.split_once('>')?.0;
            let text = String::from_utf8(unhex(inside)).ok()?;
            self.below_home(&text)
        };
        let last = || arguments.rsplit_once(", ").map(|(_, last)| last);
        match name {
            "open" | "openat" | "creat" => {
                let answer = answer?;
                let path = self.below_home(&String::from_utf8(strings(arguments)).ok()?)?;
                let end = answer
                    .find(|c: char| !c.is_ascii_digit())
                    .unwrap_or(answer.len());
                Some(Act::Open {
                    path,
                    creates: arguments.contains("O_CREAT") || name == "creat",
                    truncates: arguments.contains("O_TRUNC") || name == "creat",
                    appends: arguments.contains("O_APPEND"),
                    descriptor: answer[..end].parse().ok()?,
                })
            }
            "lseek" => {
                shown()?;
                let to = answer?.split(' ').next()?.parse().ok()?;
                Some(Act::Seek {
                    descriptor: descriptor()?,
                    to,
                })
            }
            "write" | "writev" | "pwrite64" | "pwritev" if shown().is_some() => Some(Act::Write {
                descriptor: descriptor()?,
                place: match name.starts_with('p') {
                    true => Some(last()?.parse().ok()?),
                    false => None,
                },
                bytes: strings(arguments),
            }),
            "write" | "writev" | "sendto" | "sendmsg" => Some(Act::Say(strings(arguments))),
            "ftruncate" => {
                shown()?;
                Some(Act::Truncate {
                    descriptor: descriptor()?,
                    length: last()?.parse().ok()?,
                })
            }
            "fsync" | "fdatasync" => Some(Act::Sync {
                path: shown()?,
                descriptor: descriptor()?,
            }),
            "rename" | "renameat" | "renameat2" => {
                let mut paths = quoted(arguments).map(|text| String::from_utf8(unhex(text)).ok());
                let (from, to) = (paths.next()??, paths.next()??);
                Some(Act::Rename {
                    from: self.below_home(&from)?,
                    to: self.below_home(&to)?,
                })
            }
            "unlink" | "unlinkat" => Some(Act::Unlink {
                path: self.below_home(&String::from_utf8(strings(arguments)).ok()?)?,
            }),
            _ => None,
        }
    }

    /// The path as seen from home; nothing for what lies elsewhere.
    fn below_home(&self, path: &str) -> Option<String> {
        let path = path.strip_suffix(" (deleted)").unwrap_or(path);
        let is_home = path.len() + 1 == self.home.len() && self.home.starts_with(path);
        match is_home {
            true => Some(String::new()),
            false => path.strip_prefix(&self.home).map(str::to_owned),
        }
    }
}

/// Everything between quotation marks, one after another.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('"').skip(1).step_by(2)
}

/// The bytes of all strings of a call's arguments.
fn strings(arguments: &str) -> Vec<u8> {
    assert!(!arguments.contains("\"..."), "strace cut a string off");
    quoted(arguments).flat_map(unhex).collect()
}

/// `\x2f\x61` as bytes; what is not written so is taken as it is.
fn unhex(text: &str) -> Vec<u8> {
    match text.starts_with("\\x") {
        false => text.as_bytes().to_vec(),
        true => text
            .split("\\x")
            .skip(1)
            .map(|pair| u8::from_str_radix(pair, 16).unwrap())
            .collect(),
    }
}

#[test]
fn calls_of_two_threads_are_told_apart() {
    let text = r#"7  10.000001 openat(AT_FDCWD<\x2f>, "\x2f\x68\x2f\x61", O_RDWR|O_CREAT|O_CLOEXEC, 0600) = 4<\x2f\x68\x2f\x61>
7 10.000002 pwrite64(4<\x2f\x68\x2f\x61>, "\x41\x42", 2, 4096) = 2
7 10.000003 fsync(4<\x2f\x68\x2f\x61> <unfinished ...>
8 10.500000 writev(9<\x73\x6f\x63\x6b\x65\x74\x3a\x5b\x31\x5d>, [{iov_base="\x48\x69", iov_len=2}, {iov_base="\x21", iov_len=1}], 2) = 3
7 10.600000 <... fsync resumed>)         = 0
7 10.700000 rename("\x2f\x68\x2f\x61", "\x2f\x68\x2f\x62") = 0
7 10.700001 fsync(4<\x2f\x68\x2f\x62>) = -1 EIO (Input/output error) (INJECTED)"#;
    let path = || "a".to_owned();
    let began = |call, at_ms, act| Moment::Began { call, at_ms, act };
    let expected = [
        began(
            0,
            10_000,
            Act::Open {
                path: path(),
                creates: true,
                truncates: false,
                appends: false,
                descriptor: 4,
            },
        ),
        Moment::Ended { call: 0 },
        began(
            1,
            10_000,
            Act::Write {
                descriptor: 4,
                place: Some(4096),
                bytes: b"AB".to_vec(),
            },
        ),
        Moment::Ended { call: 1 },
        began(
            2,
            10_000,
            Act::Sync {
                path: path(),
                descriptor: 4,
            },
        ),
        began(3, 10_500, Act::Say(b"Hi!".to_vec())),
        Moment::Ended { call: 3 },
        Moment::Ended { call: 2 },
        began(
            4,
            10_700,
            Act::Rename {
                from: path(),
                to: "b".to_owned(),
            },
        ),
        Moment::Ended { call: 4 },
    ];
    assert_eq!(read(text, Path::new("/h")), expected);
}
