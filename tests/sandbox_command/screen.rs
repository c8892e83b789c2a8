//! What the live screen looks like: snapshots as text, and the picture for the README. `UPDATE=1` writes both;
//! look at them before they are committed.

use std::path::Path;
use std::time::Duration;

use endpointslice_controller::cli::sandbox::observer::{Event, Second};
use endpointslice_controller::cli::sandbox::screen::live::{Wish, wish};
use endpointslice_controller::cli::sandbox::screen::picture::{Bar, Facts, ServiceLine, Sort};
use endpointslice_controller::cli::sandbox::screen::{Picture, draw, svg::svg};
use endpointslice_controller::model::{AddressType, Key};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// Compares a file of the repository with what it should say; with `UPDATE=1` it is written instead.
pub fn compared(path: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var("UPDATE").as_deref() == Ok("1") {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, text).unwrap();
        return;
    }
    let standing = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        standing == text,
        "{path} is out of date: `UPDATE=1 cargo test --test sandbox_command` writes it.\n--- it says\n{standing}\n--- now\n{text}"
    );
}

fn bars(all: &[(usize, usize)]) -> Vec<Bar> {
    all.iter().map(|(endpoints, ready)| Bar { endpoints: *endpoints, ready: *ready }).collect()
}

fn service(
    name: &str,
    sort: Sort,
    pods: Option<(usize, usize)>,
    slices: &[(AddressType, Vec<Bar>)],
) -> ServiceLine {
    ServiceLine { key: Key::new("default", name), sort, pods, slices: slices.to_vec() }
}

fn event(warning: bool, reason: &str, about: &str, message: &str) -> Event {
    Event { warning, reason: reason.into(), about: about.into(), message: message.into() }
}

/// The demo a minute after its start, while `web` rolls.
fn demo() -> Picture {
    let v4 = |all: &[(usize, usize)]| (AddressType::IPv4, bars(all));
    let v6 = |all: &[(usize, usize)]| (AddressType::IPv6, bars(all));
    let seconds = (0..60_u64).map(|second| match second {
        0..3 => Second { changes: 220 - 40 * second, writes: 24 - 6 * second },
        40..52 => Second { changes: 8 + second % 7 * 3, writes: 4 + second % 5 },
        second => Second { changes: u64::from(second % 4 == 0), writes: u64::from(second % 4 == 0) },
    });
    Picture {
        facts: Facts {
            server: "http://127.0.0.1:41873".to_owned(),
            kubeconfig: "/run/user/1000/endpointslice-controller-sandbox-4711.kubeconfig".to_owned(),
            room: 100,
        },
        uptime: Duration::from_secs(75),
        first_slice: Some(Duration::from_millis(141)),
        nodes: 5,
        pods: (139, 145),
        slices: 7,
        services: vec![
            service("db", Sort::Headless, Some((3, 3)), &[v4(&[(3, 3)])]),
            service("dual", Sort::ClusterIp, Some((4, 4)), &[v4(&[(4, 4)]), v6(&[(4, 4)])]),
            service("legacy", Sort::NoSelector, None, &[v4(&[(2, 2)])]),
            service("shop", Sort::ClusterIp, Some((128, 130)), &[v4(&[(100, 99), (30, 29)])]),
            service("web", Sort::ClusterIp, Some((4, 8)), &[v4(&[(8, 4)])]),
        ],
        selected: 4,
        seconds: seconds.collect(),
        latency: Some([2_140, 9_800]),
        waiting: 2,
        events: vec![
            event(false, "Started", "Pod default/web-5c9f7b8d6-x2x7k", "Container started"),
            event(
                false,
                "ScalingReplicaSet",
                "Deployment default/web",
                "Scaled up replica set web-5c9f7b8d6 to 2",
            ),
            event(
                true,
                "Unhealthy",
                "Pod default/shop-74d5b9c66-8wq2h",
                "Readiness probe failed: a long story that goes on and on until it does not fit on any line of any usual terminal",
            ),
            event(
                false,
                "Scheduled",
                "Pod default/web-5c9f7b8d6-x2x7k",
                "Successfully assigned default/web-5c9f7b8d6-x2x7k to node-0003",
            ),
        ],
        said: Some("deployment web restarted".to_owned()),
        log: None,
    }
}

fn drawn(picture: &Picture, width: u16, height: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, picture)).unwrap();
    terminal.backend().buffer().clone()
}

fn text(buffer: &Buffer) -> String {
    let mut text = String::new();
    for row in buffer.content.chunks(usize::from(buffer.area.width)) {
        let line: String = row.iter().map(|cell| cell.symbol()).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn snapshot(name: &str, picture: &Picture, width: u16, height: u16) {
    compared(&format!("tests/sandbox_command/snapshots/{name}.txt"), &text(&drawn(picture, width, height)));
}

#[test]
fn a_usual_terminal() {
    snapshot("demo_120x30", &demo(), 120, 30);
}

#[test]
fn a_small_terminal() {
    snapshot("demo_80x24", &demo(), 80, 24);
}

#[test]
fn a_tiny_terminal() {
    snapshot("demo_40x8", &demo(), 40, 8);
}

#[test]
fn before_anything_happened() {
    let facts = demo().facts;
    snapshot("empty_80x24", &Picture { facts, ..Picture::default() }, 80, 24);
}

#[test]
fn a_service_with_many_slices_takes_lines_and_says_how_many_more_there_are() {
    let many =
        service("big", Sort::ClusterIp, Some((2500, 2500)), &[(AddressType::IPv4, bars(&[(100, 100); 25]))]);
    let picture = Picture { services: vec![many], selected: 0, ..demo() };
    snapshot("many_slices_100x20", &picture, 100, 20);
}

#[test]
fn the_selected_service_is_on_the_screen_wherever_it_stands() {
    let mut picture = demo();
    let services = (0..500).map(|at| {
        service(&format!("s{at:03}"), Sort::ClusterIp, Some((1, 1)), &[(AddressType::IPv4, bars(&[(1, 1)]))])
    });
    picture.services = services.collect();
    for selected in [0, 1, 250, 498, 499] {
        picture.selected = selected;
        for height in [8, 24, 60] {
            let text = text(&drawn(&picture, 100, height));
            assert!(
                text.contains(&format!("▶ default/s{selected:03}")),
                "{height} lines, {selected}:\n{text}"
            );
        }
    }
}

#[test]
fn no_size_is_too_small_and_a_resize_draws_anew() {
    let mut picture = demo();
    for width in 0..50 {
        for height in 0..20 {
            drawn(&picture, width, height);
        }
    }
    picture.log = Some("WARN ".repeat(50));
    picture.said = None;
    let mut terminal = Terminal::new(TestBackend::new(120, 30)).unwrap();
    terminal.draw(|frame| draw(frame, &picture)).unwrap();
    terminal.backend_mut().resize(60, 15);
    terminal.draw(|frame| draw(frame, &picture)).unwrap();
    assert_eq!(text(terminal.backend().buffer()), text(&drawn(&picture, 60, 15)));
}

#[test]
fn the_picture_of_the_readme() {
    compared("docs/images/sandbox.svg", &svg(&drawn(&demo(), 120, 26)));
}

#[test]
fn keys_are_read_as_the_last_line_says() {
    let key = |code| KeyEvent::new(code, KeyModifiers::NONE);
    for (code, meant) in [
        (KeyCode::Up, Wish::Select(-1)),
        (KeyCode::Down, Wish::Select(1)),
        (KeyCode::Char('+'), Wish::Scale(1)),
        (KeyCode::Char('-'), Wish::Scale(-1)),
        (KeyCode::Char('r'), Wish::Roll),
        (KeyCode::Char('f'), Wish::Flap),
        (KeyCode::Char('d'), Wish::Delete),
        (KeyCode::Char('q'), Wish::Quit),
        (KeyCode::Esc, Wish::Quit),
    ] {
        assert_eq!(wish(key(code)), Some(meant));
    }
    assert_eq!(wish(key(KeyCode::Char('x'))), None);
    assert_eq!(wish(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)), Some(Wish::Quit));
    assert_eq!(wish(KeyEvent::new(KeyCode::Char('r'), KeyModifiers::CONTROL)), None);
    let up = KeyEvent { kind: KeyEventKind::Release, ..key(KeyCode::Char('d')) };
    assert_eq!(wish(up), None);
}
