//! Takes out of an answer what differs from run to run: made-up names, addresses, times, where Pods run. Each
//! is put into words of what it is, numbered within the answer, so that the same address is the same and
//! another is another. Rows of tables are sorted by the rest.

use std::collections::HashMap;
use std::net::IpAddr;

/// A piece of a line: text that must be equal, or something of a kind that is only told apart.
#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Text(String),
    Blank(&'static str, String),
}

/// The answer of `command`, blanked.
pub fn blank(command: &str, answer: &str) -> String {
    if let Some((first, rest)) = answer.split_once('\n')
        && first.starts_with("Warning: ")
    {
        return format!("{first}\n{}", blank(command, rest));
    }
    let answer = without_trigger_time(answer);
    let mut lines: Vec<&str> = answer.lines().collect();
    let table = lines.first().is_some_and(|header| is_header(header));
    let mut pieces = if table {
        let header = lines.remove(0);
        return number(rows(header, &lines));
    } else {
        lines.iter().map(|line| line_pieces(line)).collect::<Vec<_>>()
    };
    if command.contains(" describe ") {
        pieces = sorted_sections(pieces);
    } else if command.contains("-o name") {
        pieces.sort_by_key(|line| plain(line));
    }
    number(pieces)
}

/// Whether a slice bears the time of the change that caused it depends on how the changes before its last
/// write came together, on both sides.
fn without_trigger_time(answer: &str) -> String {
    const ANNOTATION: &str = "endpoints.kubernetes.io/last-change-trigger-time:";
    let mut lines: Vec<String> = Vec::new();
    let mut given = answer.lines().peekable();
    while let Some(line) = given.next() {
        if line.starts_with("Annotations:") && line.contains(ANNOTATION) {
            lines.push("Annotations:  <none>".to_owned());
        } else if line.trim() == "annotations:"
            && given.next_if(|next| next.trim_start().starts_with(ANNOTATION)).is_some()
        {
            // It is the only annotation of slices.
        } else {
            lines.push(line.to_owned());
        }
    }
    lines.join("\n")
}

/// A table of kubectl: capital letters only in its first line.
fn is_header(line: &str) -> bool {
    line.starts_with(|first: char| first.is_ascii_uppercase())
        && line.len() > 3
        && line.chars().all(|letter| letter.is_ascii_uppercase() || " -()".contains(letter))
}

/// The cells of a table, sorted by row, and aligned anew.
fn rows(header: &str, lines: &[&str]) -> Vec<Vec<Piece>> {
    let header = cells(header);
    let mut rows: Vec<Vec<Vec<Piece>>> = lines
        .iter()
        .map(|line| {
            let cells = cells(line);
            cells
                .iter()
                .enumerate()
                .map(|(column, cell)| match header.get(column).map(String::as_str) {
                    Some("AGE" | "LAST SEEN") => vec![Piece::Text("<age>".to_owned())],
                    Some("NODE") if cell != "<none>" => vec![Piece::Text("<node>".to_owned())],
                    _ => words(cell),
                })
                .collect()
        })
        .collect();
    rows.sort_by_key(|row| row.iter().map(|cell| plain(cell)).collect::<Vec<_>>());
    let mut all = vec![header.into_iter().map(|cell| vec![Piece::Text(cell)]).collect::<Vec<_>>()];
    all.extend(rows);
    let columns = all.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |column: usize| all.iter().filter_map(|row| row.get(column)).map(|cell| plain(cell).len()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    all.iter()
        .map(|row| {
            let mut line = Vec::new();
            for (column, cell) in row.iter().enumerate() {
                line.extend(cell.iter().cloned());
                if column + 1 < row.len() {
                    let padding = widths[column] - plain(cell).len() + 3;
                    line.push(Piece::Text(" ".repeat(padding)));
                }
            }
            line
        })
        .collect()
}

/// The cells of a line. How many more endpoints than ten a slice holds depends on the order in which they came.
fn cells(line: &str) -> Vec<String> {
    let many = |cell: &str| match cell.split_once(" + ") {
        Some((first, more)) if more.len() > "7 more...".len() && more.ends_with(" more...") => {
            format!("{first} + <many> more...")
        }
        _ => cell.to_owned(),
    };
    line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(many).collect()
}

/// Several objects are described in the order of their names, which are made up.
fn sorted_sections(lines: Vec<Vec<Piece>>) -> Vec<Vec<Piece>> {
    let mut sections: Vec<Vec<Vec<Piece>>> = Vec::new();
    for line in lines {
        if sections.is_empty() || plain(&line).starts_with("Name:") {
            sections.push(Vec::new());
        }
        if let Some(section) = sections.last_mut() {
            section.push(line);
        }
    }
    for section in &mut sections {
        while section.last().is_some_and(|line| plain(line).is_empty()) {
            section.pop();
        }
    }
    sections.sort_by_key(|section| section.iter().map(|line| plain(line)).collect::<Vec<_>>());
    let mut sorted = Vec::new();
    for (place, section) in sections.into_iter().enumerate() {
        if place > 0 {
            sorted.push(Vec::new());
        }
        sorted.extend(section);
    }
    sorted
}

/// A line that is no row of a table. What follows some words of descriptions and YAML is a time or a place.
fn line_pieces(line: &str) -> Vec<Piece> {
    const PLACES: [(&str, &str); 11] = [
        ("NodeName:", "<node>"),
        ("nodeName:", "<node>"),
        ("Node:", "<node>"),
        ("Zone:", "<zone>"),
        ("zone:", "<zone>"),
        ("creationTimestamp:", "<time>"),
        ("CreationTimestamp:", "<time>"),
        ("resourceVersion:", "<version>"),
        ("generation:", "<count>"),
        ("uid:", "<uid>"),
        ("Age:", "<age>"),
    ];
    for (word, blank) in PLACES {
        let Some(start) = line.find(word) else { continue };
        let before = &line[..start];
        if before.chars().all(|letter| letter == ' ' || letter == '-') {
            let rest = &line[start + word.len()..];
            let value = rest.trim_start();
            if value.is_empty() || value.starts_with('<') {
                break;
            }
            let space = &rest[..rest.len() - value.len()];
            return vec![Piece::Text(format!("{before}{word}{space}{blank}"))];
        }
    }
    words(line)
}

/// A text with its words looked at one by one.
fn words(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut word = String::new();
    for letter in text.chars() {
        if letter.is_ascii_alphanumeric() || ".:-_".contains(letter) {
            word.push(letter);
        } else {
            pieces.extend(word_pieces(&std::mem::take(&mut word)));
            pieces.push(Piece::Text(letter.to_string()));
        }
    }
    pieces.extend(word_pieces(&word));
    pieces
}

fn word_pieces(word: &str) -> Vec<Piece> {
    let text = |text: &str| Piece::Text(text.to_owned());
    if let Some(address) = address(word) {
        return vec![address];
    }
    if let Some((host, port)) = word.rsplit_once(':')
        && let Some(address) = address(host)
    {
        return vec![address, text(&format!(":{port}"))];
    }
    if word.ends_with('Z') && word.parse::<jiff::Timestamp>().is_ok() {
        return vec![text("<time>")];
    }
    if is_uid(word) {
        return vec![Piece::Blank("uid", word.to_owned())];
    }
    let mut pieces = Vec::new();
    for (place, part) in word.split('-').enumerate() {
        if place > 0 {
            pieces.push(text("-"));
        }
        let made_up = part.chars().all(|letter| "bcdfghjklmnpqrstvwxz2456789".contains(letter))
            && (place > 0 || part.contains(|letter: char| letter.is_ascii_digit()));
        pieces.push(match part.len() {
            5 if made_up && place > 0 => Piece::Blank("id", part.to_owned()),
            8..=10 if made_up => Piece::Blank("hash", part.to_owned()),
            _ => text(part),
        });
    }
    pieces
}

/// An address, unless it is one of those kept for documentation, which are written by hand.
fn address(word: &str) -> Option<Piece> {
    let address: IpAddr = word.parse().ok()?;
    let by_hand = word.starts_with("192.0.2.") || word.starts_with("2001:db8:");
    let kind = if address.is_ipv4() { "ip" } else { "ip6" };
    Some(if by_hand { Piece::Text(word.to_owned()) } else { Piece::Blank(kind, word.to_owned()) })
}

fn is_uid(word: &str) -> bool {
    let lengths: Vec<usize> = word.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && word.chars().all(|letter| letter == '-' || letter.is_ascii_hexdigit())
}

/// A line without numbers.
fn plain(line: &[Piece]) -> String {
    let text = |piece: &Piece| match piece {
        Piece::Text(text) => text.clone(),
        Piece::Blank(kind, _) => format!("<{kind}-0>"),
    };
    line.iter().map(text).collect()
}

/// Gives every blank its number, in the order in which they are read.
fn number(lines: Vec<Vec<Piece>>) -> String {
    let mut known: HashMap<(&'static str, String), usize> = HashMap::new();
    let mut counts: HashMap<&'static str, usize> = HashMap::new();
    let mut text = String::new();
    for line in lines {
        let mut words = String::new();
        for piece in line {
            match piece {
                Piece::Text(piece) => words.push_str(&piece),
                Piece::Blank(kind, original) => {
                    let number = *known.entry((kind, original)).or_insert_with(|| {
                        let count = counts.entry(kind).or_insert(0);
                        *count += 1;
                        *count
                    });
                    words.push_str(&format!("<{kind}-{number}>"));
                }
            }
        }
        text.push_str(words.trim_end());
        text.push('\n');
    }
    super::transcript::trimmed(&text)
}
