//! Many connections calling at once, each call written down with its times and its outcome.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::api::Key;
use crate::bound::Admitted;
use crate::harness::Dice;
use crate::http::{Connection, Reply};
use crate::upstream::Seen;

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// 200: it went through.
    Served,
    /// 429 `Too Many Requests`.
    Throttled,
    /// 429 `Limit Exceeded`.
    Exhausted,
    /// 403 `Forbidden`.
    Forbidden,
    /// Any other answer, with its status.
    Other(u16),
    /// No answer: the connection broke.
    Lost,
    /// No connection, so that nothing was sent.
    Unsent,
}

impl Outcome {
    /// Whether there was an answer.
    pub fn is_answer(self) -> bool {
        !matches!(self, Outcome::Lost | Outcome::Unsent)
    }
}

impl Outcome {
    fn of(reply: &Reply) -> Outcome {
        let known = [
            (200, "", Outcome::Served),
            (429, "Too Many Requests", Outcome::Throttled),
            (429, "Limit Exceeded", Outcome::Exhausted),
            (403, "Forbidden", Outcome::Forbidden),
        ];
        let text = reply.text();
        known
            .into_iter()
            .find(|(status, word, _)| reply.status == *status && text.contains(word))
            .map_or(Outcome::Other(reply.status), |(_, _, outcome)| outcome)
    }
}

/// One call.
#[derive(Clone, Copy, Debug)]
pub struct Shot {
    /// Its number, which travels to the upstream as `x-marker`.
    pub marker: u64,
    /// Which of the keys it carried.
    pub key: usize,
    pub sent: Instant,
    pub ended: Instant,
    pub outcome: Outcome,
}

/// What calls, where to, and with which keys; each key is chosen as often as its weight says.
pub struct Load<'a> {
    pub address: SocketAddr,
    pub target: &'a str,
    pub keys: &'a [(Key, u64)],
    pub connections: usize,
    pub seed: u64,
}

/// Numbers for markers, never used twice in a process.
static MARKER: AtomicU64 = AtomicU64::new(1);

impl Load<'_> {
    /// Calls over and over on every connection until `go_on` says no to the call just ended on it.
    pub fn fire(&self, go_on: impl Fn(&Shot) -> bool + Sync) -> Vec<Shot> {
        std::thread::scope(|scope| {
            let go_on = &go_on;
            let callers: Vec<_> = (0..self.connections)
                .map(|n| scope.spawn(move || self.caller(n as u64, go_on)))
                .collect();
            callers
                .into_iter()
                .flat_map(|caller| caller.join().unwrap())
                .collect()
        })
    }

    fn caller(&self, number: u64, go_on: &(impl Fn(&Shot) -> bool + Sync)) -> Vec<Shot> {
        let mut dice = Dice(self.seed ^ (number << 32));
        let mut connection = None;
        let mut shots = Vec::new();
        loop {
            let shot = self.shoot(&mut connection, &mut dice);
            shots.push(shot);
            if !go_on(&shot) {
                return shots;
            }
        }
    }

    fn shoot(&self, connection: &mut Option<Connection>, dice: &mut Dice) -> Shot {
        let key = self.choose(dice);
        let marker = MARKER.fetch_add(1, Ordering::Relaxed);
        if !connection.as_ref().is_some_and(Connection::is_open) {
            *connection = Connection::open(self.address).ok();
        }
        let sent = Instant::now();
        let number = marker.to_string();
        let headers = [self.keys[key].0.header(), ("x-marker", number.as_str())];
        let outcome = match connection
            .as_mut()
            .map(|c| c.send("GET", self.target, &headers, b""))
        {
            Some(Ok(reply)) => Outcome::of(&reply),
            Some(Err(_)) => {
                *connection = None;
                Outcome::Lost
            }
            None => Outcome::Unsent,
        };
        Shot {
            marker,
            key,
            sent,
            ended: Instant::now(),
            outcome,
        }
    }

    fn choose(&self, dice: &mut Dice) -> usize {
        let total: u64 = self.keys.iter().map(|(_, weight)| weight).sum();
        let mut left = dice.between(1, total);
        for (index, (_, weight)) in self.keys.iter().enumerate() {
            if left <= *weight {
                return index;
            }
            left -= weight;
        }
        unreachable!("the weights add up to the total")
    }
}

/// What the callers sent, beside what the upstream saw of it.
pub struct Account {
    pub shots: HashMap<u64, Shot>,
    arrivals: HashMap<u64, Instant>,
}

impl Account {
    /// Fails when the upstream saw a call twice, or one that nobody sent.
    pub fn new(shots: &[Shot], seen: &[Seen]) -> Account {
        let shots: HashMap<u64, Shot> = shots.iter().map(|shot| (shot.marker, *shot)).collect();
        let mut arrivals = HashMap::new();
        for one in seen {
            let marker = one.marker().expect("every call of a load carries a marker");
            assert!(shots.contains_key(&marker), "nobody sent {marker}");
            assert!(
                arrivals.insert(marker, one.at).is_none(),
                "the upstream saw call {marker} twice"
            );
        }
        let account = Account { shots, arrivals };
        let unseen = account.shots.values().find(|shot| {
            shot.outcome == Outcome::Served && !account.arrivals.contains_key(&shot.marker)
        });
        assert!(unseen.is_none(), "answered 200 but never seen: {unseen:?}");
        account
    }

    /// The calls with this key that reached the upstream, with their arrival.
    pub fn admitted(&self, key: usize) -> Vec<(Shot, Instant)> {
        let all = self
            .arrivals
            .iter()
            .map(|(marker, at)| (self.shots[marker], *at));
        all.filter(|(shot, _)| shot.key == key).collect()
    }

    /// Calls with this key that broke off before the upstream saw them: they may have been admitted or not.
    pub fn undecided(&self, key: usize) -> usize {
        self.shots
            .values()
            .filter(|s| {
                s.key == key && s.outcome == Outcome::Lost && !self.arrivals.contains_key(&s.marker)
            })
            .count()
    }

    /// The admissions of any key as the checker of throttles takes them.
    pub fn intervals(&self, origin: Instant) -> Vec<Admitted> {
        let seconds = |at: Instant| at.duration_since(origin).as_secs_f64();
        self.arrivals
            .iter()
            .map(|(marker, at)| Admitted {
                sent_s: seconds(self.shots[marker].sent),
                arrived_s: seconds(*at),
            })
            .collect()
    }

    /// How the calls with this key ended, each kind once.
    pub fn outcomes(&self, key: usize) -> HashSet<Outcome> {
        self.shots
            .values()
            .filter(|shot| shot.key == key)
            .map(|shot| shot.outcome)
            .collect()
    }
}
