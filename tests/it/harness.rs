//! The gateway under test: the real binary in a directory of its own, started, killed, stopped and started again.

use std::fs::File;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tempfile::TempDir;

use crate::control::{Control, Credentials};
use crate::http::Connection;

/// The longest a start or a clean stop may take before the test fails; disks of rented machines stall for long.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often a condition is looked at while a test waits for it.
const LOOK: Duration = Duration::from_millis(5);
/// What a look that took longer counts for.
const LOOK_MAX: Duration = Duration::from_secs(1);

/// One gateway process and the directory it keeps its data in.
pub struct Gateway {
    home: TempDir,
    /// Where the data is, if not below `home`.
    data_dir: Option<PathBuf>,
    pub data: SocketAddr,
    pub plane: SocketAddr,
    /// `serve` or `demo`.
    command: &'static str,
    arguments: Vec<String>,
    /// Words before the program's own, such as a tracer's; what they start must become the program itself.
    pub wrapper: Vec<String>,
    child: Option<Child>,
}

impl Gateway {
    /// Starts a gateway on a fresh directory and waits until both planes serve.
    pub fn start() -> Gateway {
        Gateway::start_with("")
    }

    /// The same with a configuration file of this content.
    pub fn start_with(config: &str) -> Gateway {
        let mut gateway = Gateway::prepare(config);
        gateway.start_again();
        gateway
    }

    /// The same on the disk, whatever it is like.
    pub fn start_on_disk() -> Gateway {
        let mut gateway = Gateway::prepare_in(&std::env::temp_dir(), "");
        gateway.start_again();
        gateway
    }

    /// The same on the disk, with a configuration, not started yet.
    pub fn prepare_on_disk(config: &str) -> Gateway {
        Gateway::prepare_in(&std::env::temp_dir(), config)
    }

    /// The same with its data directory in a place of its own.
    pub fn prepare_at(place: &Path, config: &str) -> Gateway {
        let mut gateway = Gateway::prepare(config);
        gateway.data_dir = Some(place.to_owned());
        gateway
    }

    /// A gateway with its directory and ports, not started yet.
    pub fn prepare(config: &str) -> Gateway {
        Gateway::prepare_in(place(), config)
    }

    fn prepare_in(place: &Path, config: &str) -> Gateway {
        let home = tempfile::Builder::new()
            .prefix("tollgate-it-")
            .tempdir_in(place)
            .unwrap();
        let mut arguments = Vec::new();
        if !config.is_empty() {
            let file = home.path().join("tollgate.toml");
            std::fs::write(&file, config).unwrap();
            arguments = vec!["--config".to_owned(), file.display().to_string()];
        }
        Gateway {
            home,
            data_dir: None,
            data: free_address(),
            plane: free_address(),
            command: "serve",
            arguments,
            wrapper: Vec::new(),
            child: None,
        }
    }

    /// Starts the demo instead.
    pub fn demo() -> Gateway {
        let mut gateway = Gateway::prepare("");
        gateway.command = "demo";
        gateway.start_again();
        gateway
    }

    pub fn data_dir(&self) -> PathBuf {
        let own = || self.home.path().join("data");
        self.data_dir.clone().unwrap_or_else(own)
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let child = self.child.as_ref().expect("running");
        let status = Command::new("kill")
            .args([&format!("-{name}"), &child.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// The command line as this gateway runs it.
    pub fn command(&self) -> Command {
        let mut command = tollgate();
        command
            .arg(self.command)
            .arg("--data-dir")
            .arg(self.data_dir());
        command.args([
            "--data-plane",
            &self.data.to_string(),
            "--control-plane",
            &self.plane.to_string(),
        ]);
        command.args(&self.arguments);
        command
    }

    /// Starts the process and returns at once.
    pub fn spawn(&mut self) {
        assert!(self.child.is_none(), "already running");
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_path())
            .unwrap();
        let child = wrapped(self.command(), &self.wrapper)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    /// Waits until `/readyz` answers 200.
    pub fn wait_ready(&mut self) {
        wait_until("the gateway to be ready", || {
            if let Some(status) = self.exited() {
                panic!(
                    "the gateway ended with {status} instead of serving:\n{}",
                    self.log()
                );
            }
            ready(self.plane).then_some(())
        });
    }

    /// The exit status if the process has ended by itself.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.as_mut()?.try_wait().unwrap()
    }

    /// kill -9, and waits until the process is gone; whether that is what ended it.
    pub fn kill(&mut self) -> bool {
        let mut child = self.child.take().expect("running");
        child.kill().unwrap();
        child.wait().unwrap().code().is_none()
    }

    /// Sends SIGTERM and returns at once.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Waits for the process to end by itself.
    pub fn wait(&mut self) -> ExitStatus {
        let status = wait_until("the gateway to stop", || self.exited());
        self.child = None;
        status
    }

    /// SIGTERM, and the exit status it leads to.
    pub fn stop(&mut self) -> ExitStatus {
        self.terminate();
        self.wait()
    }

    /// Starts, again or for the first time, on its directory and ports, and waits until both planes serve.
    pub fn start_again(&mut self) {
        self.spawn();
        self.wait_ready();
    }

    /// A client of the control plane with the administrator's key of the first start.
    pub fn control(&self) -> Control {
        Control::new(self.plane, Some(administrator(&self.data_dir())))
    }

    /// The most memory the process has ever had resident, where the system tells.
    pub fn memory_max_kib(&self) -> u64 {
        let pid = self.child.as_ref().expect("running").id();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok())
            .unwrap_or(0)
    }

    /// Lets the process have no more descriptors than that from its next start on.
    pub fn limit_descriptors(&mut self, most: u32) {
        let limited = format!("ulimit -n {most}; exec \"$0\" \"$@\"");
        self.wrapper = vec!["sh".to_owned(), "-c".to_owned(), limited];
    }

    /// Memory that is resident now, where the system tells.
    pub fn memory_kib(&self) -> u64 {
        let pid = self.child.as_ref().expect("running").id();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok())
            .unwrap_or(0)
    }

    /// Descriptors that are open now, where the system tells.
    pub fn descriptors(&self) -> usize {
        let pid = self.child.as_ref().expect("running").id();
        std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
    }

    /// Everything the process has printed so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    fn log_path(&self) -> PathBuf {
        self.home.path().join("output.log")
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // The process may be gone already, and a test that failed must still end.
            let _ = child.kill();
            let _ = child.wait();
        }
        if !std::thread::panicking() {
            let mut leaks = crate::secrets::found_below(self.home.path());
            // Kept elsewhere, it is not below home.
            if let Some(data_dir) = &self.data_dir {
                leaks.extend(crate::secrets::found_below(data_dir));
            }
            assert!(
                leaks.is_empty(),
                "a key's value or a secret is in {leaks:?}"
            );
        }
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let tail = lines.len().saturating_sub(8);
            let trouble = |line: &&str| line.contains("WARN") || line.contains("ERROR");
            let early = lines[..tail].iter().copied().filter(trouble);
            let told: Vec<&str> = early.chain(lines[tail..].iter().copied()).collect();
            eprintln!(
                "--- the gateway's trouble and its last words\n{}",
                told.join("\n")
            );
        }
    }
}

/// Where gateways keep their data: in memory where there is room, so that tests measure the gateway and not a disk that
/// others use too. A process that is killed loses nothing there either. `TMPDIR` chooses another place.
fn place() -> &'static Path {
    static PLACE: OnceLock<PathBuf> = OnceLock::new();
    PLACE.get_or_init(|| {
        let memory = PathBuf::from("/dev/shm");
        let chosen = std::env::var_os("TMPDIR").is_some();
        match !chosen && free_mib(&memory) >= ROOM_MIB {
            true => memory,
            false => std::env::temp_dir(),
        }
    })
}

/// What the tests need at most.
const ROOM_MIB: u64 = 1024;

fn free_mib(dir: &Path) -> u64 {
    let Ok(told) = Command::new("df").args(["-Pm"]).arg(dir).output() else {
        return 0;
    };
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    let available = text
        .lines()
        .nth(1)
        .and_then(|line| line.split_whitespace().nth(3));
    available.and_then(|mib| mib.parse().ok()).unwrap_or(0)
}

/// The binary under test, untouched by the caller's settings.
pub fn tollgate() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command.current_dir(std::env::temp_dir());
    for (name, _) in std::env::vars()
        .filter(|(name, _)| name.starts_with("TOLLGATE_") || name.starts_with("AWS_"))
    {
        command.env_remove(name);
    }
    command
}

/// Runs `tollgate` with these words on a data directory: whether it succeeded, and everything it printed.
pub fn on_directory(data_dir: &Path, words: &[&str]) -> (bool, String) {
    let mut command = tollgate();
    command.args(words).arg("--data-dir").arg(data_dir);
    let (status, text) = run(&mut command);
    (status.success(), text)
}

/// The same command behind other words.
pub fn wrapped(command: Command, wrapper: &[String]) -> Command {
    let Some((first, rest)) = wrapper.split_first() else {
        return command;
    };
    let mut outer = Command::new(first);
    outer
        .args(rest)
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => outer.env(name, value),
            None => outer.env_remove(name),
        };
    }
    outer.current_dir(command.get_current_dir().unwrap_or(Path::new("/")));
    outer
}

/// Whether strace can trace here; says so where it cannot, past the capture of the tests' output.
pub fn can_trace(what: &str) -> bool {
    let tried = Command::new("strace")
        .args(["-D", "-f", "-o", "/dev/null", "true"])
        .output();
    let good = tried.is_ok_and(|output| output.status.success());
    if !good {
        tell(&format!(
            "NOT RUN: {what}: strace is not installed or may not trace here"
        ));
    }
    good
}

/// Prints a line that is seen although the test passes.
pub fn tell(line: &str) {
    use std::io::Write;
    let mut past_the_capture = std::io::stderr().lock();
    past_the_capture
        .write_all(format!("{line}\n").as_bytes())
        .unwrap();
}

/// Runs a command that is expected to end by itself: its status and everything it printed.
pub fn run(command: &mut Command) -> (ExitStatus, String) {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let words = std::thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).unwrap();
        text
    });
    let complaints = std::thread::spawn(move || {
        let mut text = String::new();
        stderr.read_to_string(&mut text).unwrap();
        text
    });
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if start.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("{command:?} did not end:\n{}", complaints.join().unwrap());
        }
        std::thread::sleep(LOOK);
    };
    (status, words.join().unwrap() + &complaints.join().unwrap())
}

/// Looks until there is something to see, and fails the test when it takes too long. Time in which the test itself did
/// not run (it was suspended, or the machine was) does not count.
pub fn wait_until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let mut waited = Duration::ZERO;
    loop {
        let began = Instant::now();
        if let Some(seen) = look() {
            return seen;
        }
        assert!(waited < PATIENCE, "waited {PATIENCE:?} for {what}");
        std::thread::sleep(LOOK);
        waited += began.elapsed().min(LOOK_MAX);
    }
}

/// Repeats something until memory stops growing: two rounds in a row leave next to nothing on top of the two before. The
/// first rounds fill what the allocator and the pools keep; what leaks grows with each.
pub fn until_flat(gateway: &Gateway, mut round: impl FnMut()) {
    const ROUNDS_MAX: usize = 12;
    const FLAT_KIB: u64 = 256;
    let mut seen = Vec::new();
    for _ in 0..ROUNDS_MAX {
        round();
        seen.push(gateway.memory_kib());
        if let [.., a, b, c, d] = seen[..]
            && c.max(d) <= a.min(b) + FLAT_KIB
        {
            println!("resident after each round, in KiB: {seen:?}");
            return;
        }
    }
    panic!("memory grows with each round, in KiB: {seen:?}");
}

/// A local address nobody listens on. Ports lie below the range from which outgoing connections take theirs.
pub fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const FIRST: u16 = 12_000;
    const SPAN: u16 = 20_000;
    let start = (std::process::id() % u32::from(SPAN)) as u16;
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + (start.wrapping_add(step)) % SPAN;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

/// Held by tests that put the machine under load, so that they do not disturb each other.
pub fn alone() -> MutexGuard<'static, ()> {
    static LOAD: Mutex<()> = Mutex::new(());
    LOAD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for the next UTC day if this one ends within the given time: quotas and usage are counted by UTC days.
pub fn clear_of_midnight(need: Duration) {
    const DAY_S: u64 = 86_400;
    let left = || {
        DAY_S
            - SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap()
                .as_secs()
                % DAY_S
    };
    while left() < need.as_secs() {
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Today, by UTC, as GetUsage spells dates.
pub fn today() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%d").to_string()
}

/// Random numbers that are the same on every run with the same seed (splitmix64).
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.roll() % (high - low + 1)
    }
}

fn ready(plane: SocketAddr) -> bool {
    let answer = Connection::open(plane).and_then(|mut c| c.send("GET", "/readyz", &[], b""));
    // A control plane that speaks TLS says so to those who do not, once it serves.
    answer.is_ok_and(|reply| reply.status == 200 || reply.text().contains("speaks TLS"))
}

/// The administrator's key from the shared-credentials file that the first start writes.
fn administrator(data_dir: &Path) -> Credentials {
    let text = std::fs::read_to_string(data_dir.join("credentials")).unwrap();
    let credentials = Credentials::parse(&text).expect("an access key");
    crate::secrets::note(&credentials.secret);
    credentials
}

/// A number from the environment, for runs that are longer than CI's.
pub fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is not a number: {text}"))
    })
}
