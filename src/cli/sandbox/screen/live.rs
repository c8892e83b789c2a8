//! The live screen on a terminal: draws four times a second and after each key, and gives the terminal
//! back whatever happens.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use parking_lot::Mutex;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use smol_str::SmolStr;
use tokio::sync::mpsc;

use super::draw;
use super::picture::{Facts, Picture};
use crate::cli::sandbox::hands::Hands;
use crate::cli::sandbox::log::Log;
use crate::cli::sandbox::observer::Observer;
use crate::model::Key;
use crate::sandbox::{Kind, Store};

const FRAME: Duration = Duration::from_millis(250);
/// How long the thread that reads keys waits before it looks whether it is still needed.
const KEY_WAIT: Duration = Duration::from_millis(100);
/// How long the answer to a key is shown.
const SAID_FOR: Duration = Duration::from_secs(4);

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// The Service so many lines further is selected.
    Select(isize),
    /// More or fewer Pods.
    Scale(i64),
    /// New Pods.
    Roll,
    /// A Pod becomes unready for a while.
    Flap,
    /// A Pod is deleted.
    Delete,
    /// The end.
    Quit,
}

/// What a key stands for, if for anything.
#[must_use]
pub fn wish(key: KeyEvent) -> Option<Wish> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    // In raw mode Ctrl-C is a key like any other.
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return matches!(key.code, KeyCode::Char('c' | 'd')).then_some(Wish::Quit);
    }
    match key.code {
        KeyCode::Up | KeyCode::Char('k') => Some(Wish::Select(-1)),
        KeyCode::Down | KeyCode::Char('j') => Some(Wish::Select(1)),
        KeyCode::PageUp => Some(Wish::Select(-10)),
        KeyCode::PageDown => Some(Wish::Select(10)),
        KeyCode::Home => Some(Wish::Select(isize::MIN)),
        KeyCode::End => Some(Wish::Select(isize::MAX)),
        KeyCode::Char('+' | '=') => Some(Wish::Scale(1)),
        KeyCode::Char('-') => Some(Wish::Scale(-1)),
        KeyCode::Char('r') => Some(Wish::Roll),
        KeyCode::Char('f') => Some(Wish::Flap),
        KeyCode::Char('d') => Some(Wish::Delete),
        KeyCode::Char('q') | KeyCode::Esc => Some(Wish::Quit),
        _ => None,
    }
}

/// The terminal while it is ours.
struct Screen {
    terminal: DefaultTerminal,
    reading: Arc<AtomicBool>,
    log: Log,
}

impl Screen {
    /// Takes the terminal: raw mode, alternate screen, and a panic hook that gives both back.
    fn take(log: &Log) -> anyhow::Result<(Screen, mpsc::UnboundedReceiver<Event>)> {
        let terminal = ratatui::try_init().context("the terminal cannot be used; try it with | cat")?;
        log.hold();
        let reading = Arc::new(AtomicBool::new(true));
        let screen = Screen { terminal, reading: Arc::clone(&reading), log: log.clone() };
        let (sender, events) = mpsc::unbounded_channel();
        std::thread::Builder::new().name("keys".to_owned()).spawn(move || {
            while reading.load(Ordering::Relaxed) {
                let event = match event::poll(KEY_WAIT) {
                    Ok(false) => continue,
                    Ok(true) => event::read(),
                    Err(error) => Err(error),
                };
                // A terminal that is gone gives no more keys; the signal of its end comes by itself.
                let Ok(event) = event else { return };
                if sender.send(event).is_err() {
                    return;
                }
            }
        })?;
        Ok((screen, events))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.reading.store(false, Ordering::Relaxed);
        // A terminal that is gone cannot be given back.
        let _ = ratatui::try_restore();
        self.log.release();
    }
}

/// Everything that the screen shows and acts on.
pub struct Stage {
    /// What is seen.
    pub observer: Arc<Mutex<Observer>>,
    /// The API's store.
    pub store: Arc<Store>,
    /// For the keys.
    pub hands: Hands,
    /// Since when.
    pub born: Instant,
    /// What does not change.
    pub facts: Facts,
    /// The log of this process.
    pub log: Log,
}

/// Shows the screen until `q` or Ctrl-C. Dropping the future gives the terminal back, too.
///
/// # Errors
/// The terminal cannot be used.
pub async fn show(stage: &Stage) -> anyhow::Result<()> {
    let (mut screen, mut keys) = Screen::take(&stage.log)?;
    let mut selected: Option<Key> = None;
    let mut said: Option<(Instant, String)> = None;
    let (mut place, mut open) = (0_usize, true);
    let mut frames = tokio::time::interval(FRAME);
    frames.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let mut picture = stage.picture();
        let last = picture.services.len().saturating_sub(1);
        let at = selected.as_ref().and_then(|key| picture.services.iter().position(|line| line.key == *key));
        // A Service that is gone leaves the choice to the one in its place.
        place = at.unwrap_or(place).min(last);
        picture.selected = place;
        if said.as_ref().is_some_and(|(since, _)| since.elapsed() >= SAID_FOR) {
            said = None;
        }
        picture.said = said.as_ref().map(|(_, text)| text.clone());
        screen.terminal.draw(|frame| draw(frame, &picture)).context("the terminal cannot be written to")?;
        let event = tokio::select! {
            _ = frames.tick() => continue,
            event = keys.recv(), if open => event,
        };
        // Without anybody who reads keys the picture goes on.
        open = event.is_some();
        let wish = match event {
            Some(Event::Key(key)) => wish(key),
            _ => None,
        };
        match wish {
            None => {}
            Some(Wish::Quit) => return Ok(()),
            Some(Wish::Select(by)) => {
                let to = place.saturating_add_signed(by).min(last);
                selected = picture.services.get(to).map(|line| line.key.clone());
            }
            Some(wish) => {
                if let Some(line) = picture.chosen() {
                    selected = Some(line.key.clone());
                    let text = stage.act(&line.key, wish).unwrap_or_else(|text| text);
                    said = Some((Instant::now(), text));
                }
            }
        }
    }
}

impl Stage {
    /// What is to be seen now.
    #[must_use]
    pub fn picture(&self) -> Picture {
        let nodes = self.store.count(Kind::Node);
        let picture = Picture::of(&self.observer.lock(), &self.facts, nodes, self.born);
        Picture { log: self.log.last(), ..picture }
    }

    fn act(&self, service: &Key, wish: Wish) -> Result<String, String> {
        match wish {
            Wish::Scale(by) => self.hands.scale(service, by),
            Wish::Roll => self.hands.roll(service),
            Wish::Delete => self.hands.delete(&self.some_pod(service)?),
            Wish::Flap => self.hands.flap(&self.some_pod(service)?),
            Wish::Select(_) | Wish::Quit => Ok(String::new()),
        }
    }

    /// A ready Pod of the Service, else any.
    fn some_pod(&self, service: &Key) -> Result<Key, String> {
        let observer = self.observer.lock();
        let seen = observer.services().find(|(key, _)| *key == service).map(|(_, seen)| seen);
        let pods = seen.map(|seen| &seen.pods).filter(|pods| !pods.is_empty());
        let pods = pods.ok_or_else(|| format!("no Pod behind {service}"))?;
        let ready: Vec<&SmolStr> = pods.iter().filter(|(_, ready)| **ready).map(|(name, _)| name).collect();
        let all: Vec<&SmolStr> = pods.keys().collect();
        let from = if ready.is_empty() { all } else { ready };
        let name = from[rand::random_range(0..from.len())].clone();
        Ok(Key { namespace: service.namespace.clone(), name })
    }
}
