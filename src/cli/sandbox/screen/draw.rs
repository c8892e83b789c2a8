//! Drawing a [`Picture`]. Nothing here looks at anything else, and no size is too small.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Borders, Paragraph, Sparkline};

use super::parts::{bars, count, cut, millis, rate, share, uptime};
use super::picture::{Picture, ServiceLine};

/// Colours by what they mean; the sixteen of a terminal, so that its own theme decides.
const GOOD: Color = Color::Green;
const WARN: Color = Color::Yellow;
const QUIET: Color = Color::DarkGray;
const NAME: Color = Color::Cyan;

const KEYS: [(&str, &str); 6] = [
    ("↑↓", "select"),
    ("+ -", "scale"),
    ("r", "roll"),
    ("f", "flap a Pod"),
    ("d", "delete a Pod"),
    ("q", "quit"),
];
/// Lines of the numbers, with their frame.
const NUMBERS: u16 = 5;
/// Most lines of Events, with their frame.
const EVENTS: u16 = 8;
/// Columns before the slices of a Service.
const MARK: usize = 2;
const SORT: usize = 12;
const PODS: usize = 10;

/// Draws the picture over the whole frame.
pub fn draw(frame: &mut Frame<'_>, picture: &Picture) {
    let area = frame.area();
    let events = match area.height {
        0..16 => 0,
        height => EVENTS.min(height / 4 + 1),
    };
    let numbers = if area.height < 11 { 0 } else { NUMBERS };
    let [title, numbers, services, events, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(numbers),
        Constraint::Min(1),
        Constraint::Length(events),
        Constraint::Length(1),
    ])
    .areas(area);
    draw_title(frame, title, picture);
    draw_numbers(frame, numbers, picture);
    draw_services(frame, services, picture);
    draw_events(frame, events, picture);
    draw_keys(frame, keys, picture);
}

fn framed(title: &str) -> Block<'static> {
    Block::new()
        .borders(Borders::ALL)
        .border_type(BorderType::Rounded)
        .border_style(Style::new().fg(QUIET))
        .title(Span::styled(format!(" {title} "), Style::new().bold()))
}

fn draw_title(frame: &mut Frame<'_>, area: Rect, picture: &Picture) {
    let (ready, pods) = picture.pods;
    let left = Line::from(vec![
        Span::styled(" endpointslice-controller sandbox ", Style::new().black().on_cyan().bold()),
        Span::raw(format!(
            "  {}, {ready}/{} ready, {}, {}",
            count(picture.nodes, "Node"),
            count(pods, "Pod"),
            count(picture.services.len(), "Service"),
            count(picture.slices, "slice"),
        )),
    ]);
    let right = format!("{}  {} ", picture.facts.server, uptime(picture.uptime));
    let room = usize::from(area.width).saturating_sub(left.width() + 2);
    frame.render_widget(Paragraph::new(left), area);
    if right.chars().count() <= room {
        frame.render_widget(Paragraph::new(Line::from(right).fg(QUIET).right_aligned()), area);
    }
}

fn draw_numbers(frame: &mut Frame<'_>, area: Rect, picture: &Picture) {
    if area.height == 0 {
        return;
    }
    let [changes, writes, latency] = Layout::horizontal([Constraint::Ratio(1, 3); 3]).areas(area);
    let of_changes: Vec<u64> = picture.seconds.iter().map(|second| second.changes).collect();
    let of_writes: Vec<u64> = picture.seconds.iter().map(|second| second.writes).collect();
    draw_rate(frame, changes, "Changes a second", &of_changes, Color::Blue);
    draw_rate(frame, writes, "Writes a second", &of_writes, Color::Magenta);
    draw_latency(frame, latency, picture);
}

fn draw_rate(frame: &mut Frame<'_>, area: Rect, title: &str, seconds: &[u64], color: Color) {
    let block = framed(title);
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let number = rate(seconds);
    let [text, graph] = Layout::horizontal([Constraint::Length(9), Constraint::Min(0)]).areas(inside);
    let highest = seconds.iter().max().copied().unwrap_or_default();
    let lines = vec![
        Line::from(format!(" {number}")).bold(),
        Line::raw(""),
        Line::from(format!(" max {highest}")).fg(QUIET),
    ];
    frame.render_widget(Paragraph::new(lines), text);
    let fit = seconds.len().saturating_sub(usize::from(graph.width));
    let line = Sparkline::default().data(seconds[fit..].iter().copied()).style(Style::new().fg(color));
    frame.render_widget(line, graph);
}

fn draw_latency(frame: &mut Frame<'_>, area: Rect, picture: &Picture) {
    let number = |at: usize| picture.latency.map_or_else(|| "–".to_owned(), |latency| millis(latency[at]));
    let row = |name: &str, value: String, style: Style| {
        Line::from(vec![
            Span::styled(format!(" {name:<12}"), Style::new().fg(QUIET)),
            Span::styled(value, style),
        ])
    };
    let first = picture.first_slice.map_or_else(
        || "–".to_owned(),
        |first| format!("{} after the start", millis(first.as_micros() as u64)),
    );
    let waiting = match picture.waiting {
        0 => String::new(),
        waiting => format!("   {waiting} on the way"),
    };
    let lines = vec![
        row("p50", number(0), Style::new().bold()),
        Line::from(vec![
            Span::styled(format!(" {:<12}", "p99"), Style::new().fg(QUIET)),
            Span::styled(number(1), Style::new().bold()),
            Span::styled(waiting, Style::new().fg(WARN)),
        ]),
        row("first slice", first, Style::new()),
    ];
    frame.render_widget(Paragraph::new(lines).block(framed("Pod change to slice, last minute")), area);
}

fn draw_services(frame: &mut Frame<'_>, area: Rect, picture: &Picture) {
    let block = framed(&format!("Services and their slices, {} endpoints each at most", picture.facts.room));
    let inside = block.inner(area);
    frame.render_widget(block, area);
    if inside.height == 0 || inside.width == 0 {
        return;
    }
    let longest = picture.services.iter().map(|service| service.key.to_string().chars().count()).max();
    let columns = usize::from(inside.width).saturating_sub(MARK + SORT + PODS);
    let names = longest.unwrap_or(0).max(8).min(columns / 2).max(4);
    let wide = usize::from(inside.width).saturating_sub(MARK + names + 1 + SORT + PODS);
    let mut lines = Vec::new();
    let (mut from, mut to) = (0, 0);
    for (at, service) in picture.services.iter().enumerate() {
        let chosen = at == picture.selected;
        if chosen {
            from = lines.len();
        }
        lines.extend(service_lines(service, chosen, names, wide, picture.facts.room));
        if chosen {
            to = lines.len();
        }
        // What is far below can not be on the screen.
        if lines.len() > to.max(1) + usize::from(inside.height) && at > picture.selected {
            break;
        }
    }
    if lines.is_empty() {
        lines.push(Line::from(" No Service yet: kubectl create service clusterip …").fg(QUIET));
    }
    // The selected Service is seen whole where it fits, else from its first line.
    let height = usize::from(inside.height);
    let scroll = to.saturating_sub(height).min(from);
    let seen: Vec<Line<'_>> = lines.into_iter().skip(scroll).take(height).collect();
    frame.render_widget(Paragraph::new(seen), inside);
}

/// One line for each address type, and one more for every row of bars that does not fit.
fn service_lines(
    service: &ServiceLine,
    chosen: bool,
    names: usize,
    wide: usize,
    room: usize,
) -> Vec<Line<'static>> {
    let name = cut(&service.key.to_string(), names);
    let mark = if chosen { "▶ " } else { "  " };
    let (pods, style) = match service.pods {
        None => ("–".to_owned(), Style::new().fg(QUIET)),
        Some((ready, all)) => (format!("{ready}/{all}"), Style::new().fg(share(ready, all, GOOD, WARN))),
    };
    let head = vec![
        Span::styled(mark, Style::new().fg(NAME).bold()),
        Span::styled(
            format!("{name:<names$} "),
            if chosen { Style::new().fg(NAME).bold() } else { Style::new() },
        ),
        Span::styled(format!("{:<SORT$}", service.sort.as_str()), Style::new().fg(QUIET)),
        Span::styled(format!("{pods:<PODS$}"), style),
    ];
    let mut rows: Vec<Vec<Span<'static>>> = Vec::new();
    for (address_type, slices) in &service.slices {
        rows.extend(bars(&address_type.to_string(), slices, room, wide));
    }
    if rows.is_empty() {
        rows.push(vec![Span::styled(cut("no slices", wide), Style::new().fg(QUIET))]);
    }
    let indent = " ".repeat(MARK + names + 1 + SORT + PODS);
    let mut head = Some(head);
    rows.into_iter()
        .map(|row| {
            let mut spans = head.take().unwrap_or_else(|| vec![Span::raw(indent.clone())]);
            spans.extend(row);
            Line::from(spans)
        })
        .collect()
}

fn draw_events(frame: &mut Frame<'_>, area: Rect, picture: &Picture) {
    if area.height == 0 {
        return;
    }
    let wide = usize::from(area.width).saturating_sub(3);
    let lines: Vec<Line<'_>> = match picture.events.as_slice() {
        [] => vec![Line::from(" none yet").fg(QUIET)],
        events => events
            .iter()
            .map(|event| {
                let reason = format!(" {:<26} ", cut(&event.reason, 26));
                let style = if event.warning { Style::new().fg(WARN) } else { Style::new().fg(GOOD) };
                let rest = format!("{}: {}", event.about, event.message);
                let room = wide.saturating_sub(reason.chars().count());
                Line::from(vec![Span::styled(reason, style), Span::raw(cut(&rest, room))])
            })
            .collect(),
    };
    frame.render_widget(Paragraph::new(lines).block(framed("Events, newest first")), area);
}

fn draw_keys(frame: &mut Frame<'_>, area: Rect, picture: &Picture) {
    let mut spans = vec![Span::raw(" ")];
    for (key, does) in KEYS {
        spans.push(Span::styled(key, Style::new().fg(NAME).bold()));
        spans.push(Span::raw(format!(" {does}   ")));
    }
    let keys = Line::from(spans);
    let room = usize::from(area.width).saturating_sub(keys.width());
    frame.render_widget(Paragraph::new(keys), area);
    let (text, color) = match (&picture.said, &picture.log) {
        (Some(said), _) => (said, GOOD),
        (None, Some(log)) => (log, WARN),
        (None, None) => (&picture.facts.kubeconfig, QUIET),
    };
    if room > 12 {
        let text = format!("{} ", cut(text, room - 1));
        frame.render_widget(Paragraph::new(Line::from(text).fg(color).right_aligned()), area);
    }
}
