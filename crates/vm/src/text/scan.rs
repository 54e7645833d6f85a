//! Reads the lexical parts of one line.
//!
//! Not here: what may follow what (`assemble.rs`, [`body`](super::body)).

use super::literal::in_symbol;
use crate::isa::Reg;
use raddle_status::{Code, Error, Result};

/// A place in a line. Copying it is how alternatives are tried.
#[derive(Clone, Copy)]
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Scanner<'a> {
        Scanner { text, at: 0 }
    }

    /// How far it has come.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Skips blanks; a comment counts as the end of the line.
    fn skip(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
        if self.rest().starts_with("//") || self.rest().starts_with('#') {
            self.at = self.text.len();
        }
    }

    pub(super) fn is_end(&mut self) -> bool {
        self.skip();
        self.rest().is_empty()
    }

    /// The next byte that is no blank.
    pub(super) fn peek(&mut self) -> Option<u8> {
        self.skip();
        self.rest().bytes().next()
    }

    /// Takes this text if it comes next. Blanks may stand before each of its words.
    pub(super) fn eat(&mut self, literal: &str) -> bool {
        let start = *self;
        for word in literal.split_whitespace() {
            self.skip();
            if !self.rest().starts_with(word) {
                *self = start;
                return false;
            }
            self.at += word.len();
        }
        true
    }

    pub(super) fn expect(&mut self, literal: &str) -> Result {
        if self.eat(literal) { Ok(()) } else { Err(self.wrong(&format!("'{}'", literal.trim()))) }
    }

    pub(super) fn end(&mut self) -> Result {
        if self.is_end() { Ok(()) } else { Err(self.wrong("the end of the line")) }
    }

    /// The longest run of bytes that satisfy `accept`; at least one.
    fn run(&mut self, what: &str, accept: impl Fn(u8) -> bool) -> Result<&'a str> {
        self.skip();
        let rest = self.rest();
        let end = rest.bytes().position(|byte| !accept(byte)).unwrap_or(rest.len());
        if end == 0 || !rest.is_char_boundary(end) {
            return Err(self.wrong(what));
        }
        self.at += end;
        Ok(&rest[..end])
    }

    /// A word such as a mnemonic.
    pub(super) fn word(&mut self) -> Result<&'a str> {
        self.run("a word", in_symbol)
    }

    /// `@name`.
    pub(super) fn symbol(&mut self) -> Result<String> {
        self.expect("@")?;
        if self.rest().starts_with('"') || self.rest().starts_with("e\"") {
            return self.text_string();
        }
        if !self.rest().bytes().next().is_some_and(in_symbol) {
            return Err(self.wrong("a name right after '@'"));
        }
        Ok(self.run("a name", in_symbol)?.to_owned())
    }

    /// A string that is UTF-8.
    pub(super) fn text_string(&mut self) -> Result<String> {
        let start = *self;
        String::from_utf8(self.string()?).map_err(|_| start.wrong("a string in UTF-8"))
    }

    /// `"…"` without escapes, or `e"…"` with them.
    pub(super) fn string(&mut self) -> Result<Vec<u8>> {
        let escapes = self.eat("e\"");
        if !escapes && !self.eat("\"") {
            return Err(self.wrong("a string"));
        }
        let mut bytes = Vec::new();
        loop {
            let Some(byte) = self.rest().bytes().next() else { return Err(self.wrong("a closing quote")) };
            self.at += 1;
            match byte {
                b'"' => return Ok(bytes),
                b'\\' if escapes => bytes.push(self.escape()?),
                // The line may be cut in the middle of a character here; `rest` is not used until the next one.
                _ => {
                    bytes.push(byte);
                    while !self.text.is_char_boundary(self.at) {
                        bytes.push(self.text.as_bytes()[self.at]);
                        self.at += 1;
                    }
                }
            }
        }
    }

    fn escape(&mut self) -> Result<u8> {
        let rest = self.rest().as_bytes();
        let (byte, bytes) = match rest {
            [b'n', ..] => (b'\n', 1),
            [quoted @ (b'"' | b'\\'), ..] => (*quoted, 1),
            [b'x', high, low, ..] => {
                let digit =
                    |byte: u8| (byte as char).to_digit(16).ok_or_else(|| self.wrong("two hex digits"));
                ((digit(*high)? * 16 + digit(*low)?) as u8, 3)
            }
            _ => return Err(self.wrong("one of \\\" \\\\ \\n \\xHH")),
        };
        self.at += bytes;
        Ok(byte)
    }

    /// A type's name: balanced in `<>`, or a string.
    pub(super) fn type_name(&mut self) -> Result<String> {
        if matches!(self.peek(), Some(b'"')) || self.rest().starts_with("e\"") {
            return self.text_string();
        }
        let mut depth = 0;
        let mut end = 0;
        for byte in self.rest().bytes() {
            match byte {
                b'<' => depth += 1,
                b'>' if depth == 0 => break,
                b'>' => depth -= 1,
                b',' | b')' | b'{' | b' ' | b'\t' if depth == 0 => break,
                _ => {}
            }
            end += 1;
        }
        let name = self.rest()[..end].trim_end().to_owned();
        if name.is_empty() || depth != 0 {
            return Err(self.wrong("a type"));
        }
        self.at += end;
        Ok(name)
    }

    /// An integer with optional sign, decimal or `0x`.
    pub(super) fn integer(&mut self) -> Result<i128> {
        let start = *self;
        let negative = self.eat("-");
        if !negative {
            self.eat("+");
        }
        let digits = self.run("a number", |byte| byte.is_ascii_alphanumeric())?;
        let (digits, radix) = digits.strip_prefix("0x").map_or((digits, 10), |hex| (hex, 16));
        let value = i128::from_str_radix(digits, radix).map_err(|_| start.wrong("a number"))?;
        Ok(if negative { -value } else { value })
    }

    /// An integer within these bounds.
    pub(super) fn number(&mut self, least: i128, most: i128) -> Result<i128> {
        let start = *self;
        let value = self.integer()?;
        if value < least || value > most {
            return Err(start.wrong(&format!("a number from {least} to {most}")));
        }
        Ok(value)
    }

    /// An unsigned number.
    pub(super) fn u32(&mut self) -> Result<u32> {
        Ok(self.number(0, u32::MAX.into())? as u32)
    }

    /// The text of a float.
    pub(super) fn float(&mut self) -> Result<&'a str> {
        self.run("a float", |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'+' | b'-' | b':'))
    }

    /// `%iN`, `%iN:M`, `%rN` or `%RN`; says whether it was written as a pair.
    pub(super) fn reg(&mut self) -> Result<(Reg, bool)> {
        let start = *self;
        let bank = ["%i", "%r", "%R"].into_iter().find(|bank| self.eat(bank));
        let Some(bank) = bank else { return Err(self.wrong("a register")) };
        let most = if bank == "%i" { 0x7FFF } else { 0x3FFF };
        let index = self.number(0, most)? as u16;
        if bank != "%i" {
            let reg = Reg::reference(index);
            return Ok((if bank == "%R" { reg.moved() } else { reg }, false));
        }
        if !self.rest().starts_with(':') || !self.rest()[1..].starts_with(|next: char| next.is_ascii_digit())
        {
            return Ok((Reg::value(index), false));
        }
        self.at += 1;
        if self.integer()? != i128::from(index) + 1 {
            return Err(start.wrong("a pair of neighbours"));
        }
        Ok((Reg::value(index), true))
    }

    /// Items between commas, as long as they start with this byte.
    pub(super) fn comma_list<T>(
        &mut self,
        first: u8,
        mut item: impl FnMut(&mut Scanner<'a>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut items = Vec::new();
        if self.peek() == Some(first) {
            items.push(item(self)?);
            while self.eat(",") {
                items.push(item(self)?);
            }
        }
        Ok(items)
    }

    /// The failure that something else was expected here.
    pub(super) fn wrong(&self, what: &str) -> Error {
        let rest = self.text.get(self.at..).unwrap_or("").trim_start();
        let found: String = rest.chars().take(20).collect();
        let found = if found.is_empty() { "the line ends".to_owned() } else { format!("'{found}' stands") };
        Error::new(Code::InvalidArgument, format!("{what} expected where {found}, column {}", self.at + 1))
    }
}
