//! What a disk may hold after a power cut: everything that was synced, and of the rest any part, torn at sectors.
//!
//! A file's sector holds what it held at its last sync or after any later write to it; the file's length likewise.
//! Names that were made, changed or removed since the directory's last sync may be old or new, each by itself.

use std::collections::BTreeMap;

use super::trace::Act;
use crate::harness::Dice;

#[derive(Clone, Default)]
struct Inode {
    /// What a cut cannot take away.
    synced: Vec<u8>,
    /// The length that the running system sees.
    length: u64,
    pending: Vec<Pending>,
}

/// A change of a file that no sync has made durable.
#[derive(Clone)]
struct Pending {
    order: u64,
    call: usize,
    /// Whether the call had returned.
    ended: bool,
    change: Change,
}

#[derive(Clone)]
enum Change {
    Write { place: u64, bytes: Vec<u8> },
    Truncate { length: u64 },
}

#[derive(Clone)]
enum NameChange {
    Link { name: String, inode: usize },
    Rename { from: String, to: String },
    Unlink { name: String },
}

struct Descriptor {
    inode: usize,
    place: u64,
    appends: bool,
}

/// A disk and the process's view of it, driven by the moments of a trace.
#[derive(Default)]
pub struct Disk {
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    synced_names: BTreeMap<String, usize>,
    pending_names: Vec<(u64, NameChange)>,
    descriptors: BTreeMap<u32, Descriptor>,
    /// Syncs in flight: what they will have made durable.
    syncing: BTreeMap<usize, (String, Option<usize>, u64)>,
    order: u64,
}

/// Files by name, as they may be found after the power is back.
pub type Found = BTreeMap<String, Vec<u8>>;

/// What becomes of that which was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Lost,
    Kept,
    /// What came before some moment is there, the rest is not.
    Prefix,
    /// Each sector, length and name by itself.
    Torn,
}

impl Disk {
    /// A disk on which these files are since long.
    pub fn with(files: &Found) -> Disk {
        let mut disk = Disk::default();
        for (inode, (name, bytes)) in files.iter().enumerate() {
            disk.names.insert(name.clone(), inode);
            disk.inodes.push(Inode {
                synced: bytes.clone(),
                length: bytes.len() as u64,
                pending: Vec::new(),
            });
        }
        disk.synced_names = disk.names.clone();
        disk
    }

    /// A process ended: its descriptors are closed, what it wrote is in the system's memory still.
    pub fn process_ended(&mut self) {
        self.descriptors.clear();
        self.syncing.clear();
        for pending in self.inodes.iter_mut().flat_map(|inode| &mut inode.pending) {
            pending.ended = true;
        }
    }

    pub fn began(&mut self, call: usize, act: &Act) {
        self.order += 1;
        match act {
            Act::Open {
                path,
                creates,
                truncates,
                appends,
                descriptor,
            } => self.open(call, path, *creates, *truncates, *appends, *descriptor),
            Act::Seek { descriptor, to } => {
                if let Some(at) = self.descriptors.get_mut(descriptor) {
                    at.place = *to;
                }
            }
            Act::Write {
                descriptor,
                place,
                bytes,
            } => {
                let Some(at) = self.descriptors.get_mut(descriptor) else {
                    return;
                };
                let inode = at.inode;
                let place = match (place, at.appends) {
                    (Some(place), _) => *place,
                    (None, true) => self.inodes[inode].length,
                    (None, false) => {
                        let place = at.place;
                        at.place += bytes.len() as u64;
                        place
                    }
                };
                let bytes = bytes.clone();
                self.change(inode, call, Change::Write { place, bytes });
            }
            Act::Truncate { descriptor, length } => {
                if let Some(at) = self.descriptors.get(descriptor) {
                    self.change(at.inode, call, Change::Truncate { length: *length });
                }
            }
            Act::Sync { path, descriptor } => {
                // A descriptor that is no file's is the directory's.
                let inode = self.descriptors.get(descriptor).map(|at| at.inode);
                self.syncing.insert(call, (path.clone(), inode, self.order));
            }
            Act::Rename { from, to } => {
                let (from, to) = (from.clone(), to.clone());
                let change = NameChange::Rename { from, to };
                change.apply(&mut self.names);
                self.pending_names.push((self.order, change));
            }
            Act::Unlink { path } => {
                if self.names.remove(path).is_some() {
                    let name = path.clone();
                    self.pending_names
                        .push((self.order, NameChange::Unlink { name }));
                }
            }
            Act::Say(_) => {}
        }
    }

    pub fn ended(&mut self, call: usize) {
        if let Some((path, inode, began)) = self.syncing.remove(&call) {
            match inode {
                Some(inode) => self.inodes[inode].synced_up_to(began),
                None => self.names_synced(&path, began),
            }
            return;
        }
        for inode in &mut self.inodes {
            for pending in inode.pending.iter_mut().rev().take(8) {
                pending.ended |= pending.call == call;
            }
        }
    }

    fn open(
        &mut self,
        call: usize,
        path: &str,
        creates: bool,
        truncates: bool,
        appends: bool,
        descriptor: u32,
    ) {
        let inode = match self.names.get(path) {
            Some(inode) => *inode,
            None if !creates => {
                self.descriptors.remove(&descriptor); // a directory
                return;
            }
            None => {
                self.inodes.push(Inode::default());
                let (name, inode) = (path.to_owned(), self.inodes.len() - 1);
                self.names.insert(name.clone(), inode);
                self.pending_names
                    .push((self.order, NameChange::Link { name, inode }));
                inode
            }
        };
        if truncates && self.inodes[inode].length > 0 {
            self.change(inode, call, Change::Truncate { length: 0 });
        }
        let place = 0;
        self.descriptors.insert(
            descriptor,
            Descriptor {
                inode,
                place,
                appends,
            },
        );
    }

    fn change(&mut self, inode: usize, call: usize, change: Change) {
        let inode = &mut self.inodes[inode];
        inode.length = change.length_after(inode.length);
        inode.pending.push(Pending {
            order: self.order,
            call,
            ended: false,
            change,
        });
    }

    /// A directory's sync makes durable what happened to the names in it.
    fn names_synced(&mut self, directory: &str, began: u64) {
        let is_in =
            |name: &str| name.rsplit_once('/').map_or("", |(parent, _)| parent) == directory;
        let mut rest = Vec::new();
        for (order, change) in std::mem::take(&mut self.pending_names) {
            let inside = match &change {
                NameChange::Link { name, .. } | NameChange::Unlink { name } => is_in(name),
                NameChange::Rename { to, .. } => is_in(to),
            };
            match inside && order < began {
                true => change.apply(&mut self.synced_names),
                false => rest.push((order, change)),
            }
        }
        self.pending_names = rest;
    }

    /// What may be found if the power fails now.
    pub fn cut(&self, fate: Fate, dice: &mut Dice) -> Found {
        let moment = dice.between(0, self.order);
        let sector = [512, 4096][dice.between(0, 1) as usize];
        let mut names = self.synced_names.clone();
        for (order, change) in &self.pending_names {
            let survives = match fate {
                Fate::Lost => false,
                Fate::Kept => true,
                Fate::Prefix => *order <= moment,
                Fate::Torn => dice.between(0, 1) == 0,
            };
            if survives {
                change.apply(&mut names);
            }
        }
        let mut found = Found::new();
        for (name, inode) in names {
            let bytes = self.inodes[inode].cut(fate, moment, sector, dice);
            found.insert(name, bytes);
        }
        found
    }
}

impl Change {
    fn length_after(&self, before: u64) -> u64 {
        match self {
            Change::Write { place, bytes } => before.max(place + bytes.len() as u64),
            Change::Truncate { length } => *length,
        }
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            NameChange::Link { name, inode } => {
                names.insert(name.clone(), *inode);
            }
            // A directory takes along what is in it.
            NameChange::Rename { from, to } => {
                let moved = |name: &str| {
                    let rest = name.strip_prefix(from.as_str())?;
                    (rest.is_empty() || rest.starts_with('/')).then(|| format!("{to}{rest}"))
                };
                *names = std::mem::take(names)
                    .into_iter()
                    .filter(|(name, _)| name != to || moved(name).is_some())
                    .collect::<Vec<_>>()
                    .into_iter()
                    .map(|(name, inode)| (moved(&name).unwrap_or(name), inode))
                    .collect();
            }
            NameChange::Unlink { name } => {
                names.remove(name);
            }
        }
    }
}

impl Inode {
    /// A sync that began at `began` covers what had returned by then.
    fn synced_up_to(&mut self, began: u64) {
        let mut rest = Vec::new();
        for pending in std::mem::take(&mut self.pending) {
            match pending.ended && pending.order < began {
                true => pending.change.apply(&mut self.synced),
                false => rest.push(pending),
            }
        }
        self.pending = rest;
    }

    fn cut(&self, fate: Fate, moment: u64, sector: usize, dice: &mut Dice) -> Vec<u8> {
        let count = self.pending.len();
        // How many of the changes made it, for a sector or the length.
        let prefix = self.pending.iter().filter(|p| p.order <= moment).count();
        let mut reached = || match fate {
            Fate::Lost => 0,
            Fate::Kept => count,
            Fate::Prefix => prefix,
            Fate::Torn => dice.between(0, count as u64) as usize,
        };
        let length = self.pending[..reached()]
            .iter()
            .fold(self.synced.len() as u64, |length, pending| {
                pending.change.length_after(length)
            });
        let mut whole = self.synced.clone();
        whole.resize(whole.len().max(length as usize), 0);
        let sectors: Vec<usize> = (0..whole.len().div_ceil(sector))
            .map(|_| reached())
            .collect();
        for (number, pending) in self.pending.iter().enumerate() {
            match &pending.change {
                Change::Write { place, bytes } => {
                    copy_sectors(&mut whole, *place as usize, bytes, sector, |at| {
                        number < sectors[at]
                    })
                }
                Change::Truncate { length } => {
                    let from = (*length as usize).min(whole.len());
                    let zeros = vec![0; whole.len() - from];
                    copy_sectors(&mut whole, from, &zeros, sector, |at| number < sectors[at]);
                }
            }
        }
        whole.truncate(length as usize);
        whole
    }
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Change::Write { place, bytes } => {
                let (from, end) = (*place as usize, *place as usize + bytes.len());
                to.resize(to.len().max(end), 0);
                to[from..end].copy_from_slice(bytes);
            }
            Change::Truncate { length } => to.resize(*length as usize, 0),
        }
    }
}

/// Copies those parts of `bytes` whose sector in `to` is wanted.
fn copy_sectors(
    to: &mut [u8],
    place: usize,
    bytes: &[u8],
    sector: usize,
    wanted: impl Fn(usize) -> bool,
) {
    let end = (place + bytes.len()).min(to.len());
    let mut at = place;
    while at < end {
        let next = ((at / sector + 1) * sector).min(end);
        if wanted(at / sector) {
            to[at..next].copy_from_slice(&bytes[at - place..next - place]);
        }
        at = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: &str, descriptor: u32) -> Act {
        Act::Open {
            path: path.into(),
            creates: true,
            truncates: false,
            appends: false,
            descriptor,
        }
    }

    fn write(place: u64, bytes: &[u8]) -> Act {
        Act::Write {
            descriptor: 3,
            place: Some(place),
            bytes: bytes.into(),
        }
    }

    fn sync(path: &str, descriptor: u32) -> Act {
        Act::Sync {
            path: path.into(),
            descriptor,
        }
    }

    fn run(acts: &[Act]) -> Disk {
        let mut disk = Disk::default();
        for (call, act) in acts.iter().enumerate() {
            disk.began(call, act);
            disk.ended(call);
        }
        disk
    }

    /// Every state that dice find after these acts.
    fn states(acts: &[Act]) -> Vec<Found> {
        let disk = run(acts);
        let mut dice = Dice(1);
        let fates = [Fate::Lost, Fate::Kept, Fate::Prefix, Fate::Torn];
        let mut all: Vec<Found> = (0..400)
            .map(|n| disk.cut(fates[n % 4], &mut dice))
            .collect();
        all.sort();
        all.dedup();
        all
    }

    fn found(name: &str, bytes: &[u8]) -> Found {
        Found::from([(name.to_owned(), bytes.to_vec())])
    }

    #[test]
    fn what_was_synced_stays_and_the_rest_may_be_old_or_new() {
        let begin = [
            open("d/f", 3),
            write(0, b"old"),
            sync("d/f", 3),
            sync("d", 4),
        ];
        assert_eq!(states(&begin), [found("d/f", b"old")]);
        let more = [&begin[..], &[write(0, b"new"), write(3, b"er")]].concat();
        let possible: [&[u8]; 5] = [b"old", b"new", b"newer", b"old\0\0", b"new\0\0"];
        assert!(
            states(&more)
                .iter()
                .all(|state| possible.contains(&state["d/f"].as_slice()))
        );
        assert!(states(&more).contains(&found("d/f", b"old")));
        assert!(states(&more).contains(&found("d/f", b"newer")));
    }

    #[test]
    fn a_write_over_several_sectors_tears() {
        let acts = [
            open("f", 3),
            write(0, &[b'a'; 1024]),
            sync("f", 3),
            sync("", 4),
            write(0, &[b'b'; 1024]),
        ];
        let torn = [[b'a'; 512], [b'b'; 512]].concat();
        assert!(states(&acts).contains(&found("f", &torn)));
        assert!(states(&acts).iter().all(|state| state["f"].len() == 1024));
    }

    #[test]
    fn a_name_is_safe_only_once_its_directory_is_synced() {
        let acts = [open("d/a", 3), write(0, b"x"), sync("d/a", 3)];
        assert!(states(&acts).contains(&Found::new()));
        let renamed = Act::Rename {
            from: "d/a".into(),
            to: "d/b".into(),
        };
        let more = [&acts[..], &[sync("d", 4), renamed]].concat();
        assert_eq!(states(&more), [found("d/a", b"x"), found("d/b", b"x")]);
        let last = [&more[..], &[sync("d", 4)]].concat();
        assert_eq!(states(&last), [found("d/b", b"x")]);
    }

    #[test]
    fn a_sync_covers_only_what_had_returned_before_it_began() {
        let mut disk = run(&[open("f", 3), sync("", 4)]);
        disk.began(10, &write(0, b"late"));
        disk.began(11, &sync("f", 3));
        disk.ended(11);
        disk.ended(10);
        assert_eq!(disk.cut(Fate::Lost, &mut Dice(1)), found("f", b""));
    }
}
