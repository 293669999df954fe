//! A generator of load on one core: it waits for no thread and copies next to nothing, so that it is quicker than the
//! server that it measures. Closed: each connection asks again as soon as it is answered, which finds the peak. Open:
//! questions come at their own times whether the server is ready or not, and how long one took is counted from when it
//! was due, so that a server that stands still is not asked less.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

/// A request in which the secret stands at a fixed place.
pub struct Template {
    bytes: Vec<u8>,
    /// Where the secret stands.
    at: usize,
}

impl Template {
    /// A template: `SECRET` stands for the secret, `LENGTH` for the length of the body, if there is one.
    pub fn new(head: &str, body: &str, secret: &str) -> Self {
        let body = body.replace("SECRET", secret);
        let head = head.replace("LENGTH", &body.len().to_string()).replace("SECRET", secret);
        let text = format!("{}\r\n\r\n{body}", head.trim_end());
        let at = text.find(secret).unwrap_or(text.len());
        Self { bytes: text.into_bytes(), at }
    }
}

/// What one run gave.
pub struct Run {
    /// Answers per second.
    pub rate: f64,
    /// How long each took, in nanoseconds, sorted.
    pub took: Vec<u64>,
    /// Bytes of the body of an answer.
    pub body: usize,
    /// Questions that the server could not answer then (503). They are among neither of the above.
    pub unsure: usize,
}

impl Run {
    /// How long at most this part of them took, in milliseconds.
    pub fn within(&self, part: f64) -> f64 {
        let at = ((self.took.len().max(1) - 1) as f64 * part).round() as usize;
        self.took.get(at).map_or(0.0, |nanos| *nanos as f64 / 1e6)
    }
}

/// A quick sequence of numbers.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("an index")
    }

    /// Above 0 and at most 1.
    fn part(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }
}

struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    answer: Vec<u8>,
    /// How much of the answer is there.
    filled: usize,
    /// When what is under way was due.
    due: Option<Instant>,
}

/// Connections to one server.
pub struct Generator<'a> {
    poll: rustix::fd::OwnedFd,
    connections: Vec<Connection>,
    template: &'a Template,
    secrets: &'a [String],
    chance: Chance,
    body: usize,
    unsure: usize,
}

impl<'a> Generator<'a> {
    /// Connects.
    pub fn open(address: &str, connections: usize, template: &'a Template, secrets: &'a [String]) -> Self {
        let poll = epoll::create(CreateFlags::CLOEXEC).expect("epoll");
        let open = |number: usize| {
            let stream = TcpStream::connect(address).expect("a connection");
            stream.set_nodelay(true).expect("no delay");
            stream.set_nonblocking(true).expect("no waiting");
            epoll::add(&poll, &stream, EventData::new_u64(number as u64), EventFlags::IN).expect("a watch");
            Connection { stream, request: template.bytes.clone(), answer: vec![0; 16_384], filled: 0, due: None }
        };
        let connections = (0..connections).map(open).collect();
        Self { poll, connections, template, secrets, chance: Chance(0x9E37_79B9_7F4A_7C15), body: 0, unsure: 0 }
    }

    fn ask(&mut self, number: usize, due: Instant) {
        let about = self.chance.below(self.secrets.len());
        self.ask_about(number, about, due);
    }

    fn ask_about(&mut self, number: usize, about: usize, due: Instant) {
        let secret = &self.secrets[about];
        let connection = &mut self.connections[number];
        if let Some(place) = connection.request.get_mut(self.template.at..self.template.at + secret.len()) {
            place.copy_from_slice(secret.as_bytes());
        }
        // A request is far smaller than what a socket takes at once.
        connection.stream.write_all(&connection.request).expect("a request that is taken");
        connection.due = Some(due);
        connection.filled = 0;
    }

    /// Reads what is there: when the answer was due, and whether it is one, if it is whole now.
    fn hear(&mut self, number: usize) -> Option<(Instant, bool)> {
        let connection = &mut self.connections[number];
        match connection.stream.read(&mut connection.answer[connection.filled..]) {
            Ok(0) => panic!("the server hung up"),
            Ok(length) => connection.filled += length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
            Err(error) => panic!("{error}"),
        }
        let answer = &connection.answer[..connection.filled];
        let head = find(answer, b"\r\n\r\n")? + 4;
        let length = length(&answer[..head]);
        if answer.len() < head + length {
            return None;
        }
        match &answer[9..12] {
            b"200" => self.body = length,
            b"503" => self.unsure += 1,
            _ => panic!("{}", String::from_utf8_lossy(answer)),
        }
        let good = answer[9] == b'2';
        connection.due.take().map(|due| (due, good))
    }

    /// What has come, if anything. It never sleeps: this core has nothing else to do, to be woken takes longer than most
    /// answers, and to wake somebody is work for the server, the more of it the slower the server is.
    fn look(&self, events: &mut Vec<Event>) {
        events.clear();
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        // A signal is no event.
        let _ = epoll::wait(&self.poll, rustix::buffer::spare_capacity(events), Some(&at_once));
    }

    /// Asks as fast as it is answered.
    pub fn closed(&mut self, time: Duration) -> Run {
        let mut events = Vec::with_capacity(self.connections.len());
        let begun = Instant::now();
        for number in 0..self.connections.len() {
            self.ask(number, begun);
        }
        // Until it runs evenly, nothing counts.
        let (warm, mut took) = (time / 10, Vec::with_capacity(1 << 20));
        let end = begun + warm + time;
        loop {
            self.look(&mut events);
            let now = Instant::now();
            for event in &events {
                let number = usize::try_from(event.data.u64()).expect("a connection");
                let Some((due, good)) = self.hear(number) else { continue };
                if good && now >= begun + warm && now < end {
                    took.push(u64::try_from((now - due).as_nanos()).expect("nanoseconds"));
                }
                if now < end {
                    self.ask(number, now);
                }
            }
            if now >= end && self.connections.iter().all(|connection| connection.due.is_none()) {
                break;
            }
        }
        self.run(took, time)
    }

    /// Asks about every secret once, in turn.
    pub fn each_once(&mut self) -> Run {
        let mut events = Vec::with_capacity(self.connections.len());
        let (begun, mut took, mut asked) = (Instant::now(), Vec::with_capacity(self.secrets.len()), 0);
        for number in 0..self.connections.len().min(self.secrets.len()) {
            self.ask_about(number, asked, begun);
            asked += 1;
        }
        let mut answered = 0;
        while answered < self.secrets.len() {
            self.look(&mut events);
            let now = Instant::now();
            for event in &events {
                let number = usize::try_from(event.data.u64()).expect("a connection");
                let Some((due, good)) = self.hear(number) else { continue };
                answered += 1;
                if good {
                    took.push(u64::try_from((now - due).as_nanos()).expect("nanoseconds"));
                }
                if asked < self.secrets.len() {
                    self.ask_about(number, asked, now);
                    asked += 1;
                }
            }
        }
        self.run(took, begun.elapsed())
    }

    /// Asks so often a second, at times of chance, for so long.
    pub fn open_loop(&mut self, rate: f64, time: Duration) -> Run {
        let mut events = Vec::with_capacity(self.connections.len());
        let (begun, warm) = (Instant::now(), time / 10);
        let end = begun + warm + time;
        let (mut next, mut waiting, mut took) = (begun, VecDeque::new(), Vec::with_capacity(1 << 20));
        let mut idle: Vec<usize> = (0..self.connections.len()).collect();
        loop {
            let now = Instant::now();
            while next <= now && next < end {
                waiting.push_back(next);
                next += Duration::from_secs_f64(-self.chance.part().ln() / rate);
            }
            while let (Some(due), Some(number)) = (waiting.front().copied(), idle.last().copied()) {
                waiting.pop_front();
                idle.pop();
                self.ask(number, due);
            }
            self.look(&mut events);
            let now = Instant::now();
            for event in &events {
                let number = usize::try_from(event.data.u64()).expect("a connection");
                let Some((due, good)) = self.hear(number) else { continue };
                idle.push(number);
                if good && due >= begun + warm {
                    took.push(u64::try_from((now - due).as_nanos()).expect("nanoseconds"));
                }
            }
            if now >= end && waiting.is_empty() && idle.len() == self.connections.len() {
                break;
            }
        }
        self.run(took, time)
    }

    fn run(&mut self, mut took: Vec<u64>, time: Duration) -> Run {
        took.sort_unstable();
        let unsure = std::mem::take(&mut self.unsure);
        Run { rate: took.len() as f64 / time.as_secs_f64(), took, body: self.body, unsure }
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|part| part == wanted)
}

/// The length of the body, as the head says.
fn length(head: &[u8]) -> usize {
    let at = find(head, b"content-length: ").expect("a length") + 16;
    head[at..].iter().take_while(|b| b.is_ascii_digit()).fold(0, |sum, b| sum * 10 + usize::from(b - b'0'))
}
