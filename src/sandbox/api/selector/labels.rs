//! The grammar of label selectors, read as apimachinery's parser reads it: the same texts are refused with
//! the same sentences.

use crate::sandbox::store::Object;

/// What is wrong with a selector.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Wrong(String);

/// Requirements that must all hold.
pub(super) struct Labels(Vec<Requirement>);

struct Requirement {
    key: String,
    test: Test,
}

enum Test {
    Exists,
    Absent,
    In(Vec<String>),
    /// Holds for objects without the label, too.
    NotIn(Vec<String>),
    Above(i64),
    Below(i64),
}

impl Labels {
    pub(super) fn parse(text: &str) -> Result<Labels, Wrong> {
        Reader { rest: text, peeked: None }.requirements().map(Labels)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn admit(&self, object: &Object) -> bool {
        self.0.iter().all(|requirement| {
            let value = object.label(&requirement.key);
            let number = || value.and_then(|value| value.parse::<i64>().ok());
            match &requirement.test {
                Test::Exists => value.is_some(),
                Test::Absent => value.is_none(),
                Test::In(list) => value.is_some_and(|value| list.iter().any(|other| other == value)),
                Test::NotIn(list) => value.is_none_or(|value| list.iter().all(|other| other != value)),
                Test::Above(bound) => number().is_some_and(|number| number > *bound),
                Test::Below(bound) => number().is_some_and(|number| number < *bound),
            }
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    End,
    /// One of `! = == != ( ) , > <`.
    Sign(&'static str),
    Word(String),
}

impl Token {
    fn text(&self) -> &str {
        match self {
            Token::End => "",
            Token::Sign(text) => text,
            Token::Word(text) => text,
        }
    }

    fn is(&self, sign: &str) -> bool {
        matches!(self, Token::Sign(text) if *text == sign)
    }
}

struct Reader<'a> {
    rest: &'a str,
    peeked: Option<Token>,
}

impl Reader<'_> {
    fn scan(&mut self) -> Token {
        const SIGNS: [&str; 9] = ["==", "!=", "!", "=", "(", ")", ",", ">", "<"];
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
        if self.rest.is_empty() {
            return Token::End;
        }
        for sign in SIGNS {
            if let Some(rest) = self.rest.strip_prefix(sign) {
                self.rest = rest;
                return Token::Sign(sign);
            }
        }
        let end = self.rest.find(|letter: char| "=!(),>< \t\r\n".contains(letter)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        Token::Word(word.to_owned())
    }

    fn peek(&mut self) -> Token {
        if self.peeked.is_none() {
            self.peeked = Some(self.scan());
        }
        self.peeked.clone().unwrap_or(Token::End)
    }

    fn next(&mut self) -> Token {
        match self.peeked.take() {
            Some(token) => token,
            None => self.scan(),
        }
    }

    fn requirements(&mut self) -> Result<Vec<Requirement>, Wrong> {
        let mut list = Vec::new();
        loop {
            match self.peek() {
                Token::End => return Ok(list),
                token if matches!(token, Token::Word(_)) || token.is("!") => {}
                token => {
                    return Err(Wrong(format!(
                        "found '{}', expected: !, identifier, or 'end of string'",
                        token.text()
                    )));
                }
            }
            let requirement =
                self.requirement().map_err(|wrong| Wrong(format!("unable to parse requirement: {wrong}")))?;
            list.push(requirement);
            match self.next() {
                Token::End => return Ok(list),
                token if token.is(",") => match self.peek() {
                    token if matches!(token, Token::Word(_)) || token.is("!") => {}
                    token => {
                        return Err(Wrong(format!(
                            "found '{}', expected: identifier after ','",
                            token.text()
                        )));
                    }
                },
                token => {
                    return Err(Wrong(format!("found '{}', expected: ',' or 'end of string'", token.text())));
                }
            }
        }
    }

    fn requirement(&mut self) -> Result<Requirement, Wrong> {
        let absent = self.peek().is("!");
        if absent {
            self.next();
        }
        let key = match self.next() {
            Token::Word(word) => word,
            token => return Err(Wrong(format!("found '{}', expected: identifier", token.text()))),
        };
        check_key(&key)?;
        if absent || self.peek() == Token::End || self.peek().is(",") {
            let test = if absent { Test::Absent } else { Test::Exists };
            return Ok(Requirement { key, test });
        }
        let operator = self.next();
        let test = match operator.text() {
            "=" | "==" => Test::In(vec![checked(&key, 0, self.exact())?]),
            "!=" => Test::NotIn(vec![checked(&key, 0, self.exact())?]),
            "in" => Test::In(self.values(&key)?),
            "notin" => Test::NotIn(self.values(&key)?),
            sign @ (">" | "<") => {
                let value = self.exact()?;
                let bound = value.parse().map_err(|_| {
                    Wrong(format!(
                        "values[0]: Invalid value: {value:?}: for 'Gt', 'Lt' operators, the value must be an \
                         integer"
                    ))
                })?;
                if sign == ">" { Test::Above(bound) } else { Test::Below(bound) }
            }
            other => return Err(Wrong(format!("found '{other}', expected: in, notin, =, ==, !=, gt, lt"))),
        };
        Ok(Requirement { key, test })
    }

    /// The value after `=`; it may be empty.
    fn exact(&mut self) -> Result<String, Wrong> {
        match self.peek() {
            Token::End => Ok(String::new()),
            token if token.is(",") => Ok(String::new()),
            Token::Word(word) => {
                self.next();
                Ok(word)
            }
            token => Err(Wrong(format!("found '{}', expected: identifier", token.text()))),
        }
    }

    /// `(a, b)`.
    fn values(&mut self, key: &str) -> Result<Vec<String>, Wrong> {
        let open = self.next();
        if !open.is("(") {
            return Err(Wrong(format!("found '{}' expected: '('", open.text())));
        }
        let mut list = Vec::new();
        loop {
            match self.peek() {
                Token::Word(word) => {
                    self.next();
                    list.push(word);
                    match self.next() {
                        token if token.is(",") => {}
                        token if token.is(")") => break,
                        token => {
                            return Err(Wrong(format!("found '{}', expected: ',' or ')'", token.text())));
                        }
                    }
                }
                token if token.is(",") => {
                    self.next();
                    list.push(String::new());
                }
                token if token.is(")") => {
                    self.next();
                    list.push(String::new());
                    break;
                }
                token => {
                    return Err(Wrong(format!("found '{}', expected: ',', ')' or identifier", token.text())));
                }
            }
        }
        list.sort();
        list.dedup();
        list.into_iter().enumerate().map(|(at, value)| checked(key, at, Ok(value))).collect()
    }
}

fn is_name(text: &str) -> bool {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let ends = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    text.bytes().all(fine) && ends(text.bytes().next()) && ends(text.bytes().last())
}

fn check_key(key: &str) -> Result<(), Wrong> {
    let name = key.rsplit('/').next().unwrap_or_default();
    if is_name(name) && name.len() <= 63 && key.matches('/').count() <= 1 {
        return Ok(());
    }
    Err(Wrong(format!(
        "<nil>: Invalid value: {key:?}: name part must consist of alphanumeric characters, '-', '_' or '.', and \
         must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex \
         used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
    )))
}

fn checked(key: &str, at: usize, value: Result<String, Wrong>) -> Result<String, Wrong> {
    let value = value?;
    if value.is_empty() || (is_name(&value) && value.len() <= 63) {
        return Ok(value);
    }
    Err(Wrong(format!(
        "values[{at}][{key}]: Invalid value: {value:?}: a valid label must be an empty string or consist of \
         alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. \
         'MyValue',  or 'my_value',  or '12345', regex used for validation is \
         '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
    )))
}
