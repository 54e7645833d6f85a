//! Rust text taken apart, line by line, into code, literals and comments.
//!
//! This is a lexer for rules about text, not a parser: it knows comments (nested too), strings (raw too),
//! characters and lifetimes, and pairs of braces.

/// The parts of one Rust file; all have the same number of lines, and columns agree.
#[derive(Debug)]
pub struct Source {
    /// Code without comments and without the insides of literals.
    pub code: Vec<String>,
    /// Code without comments, with literals.
    pub plain: Vec<String>,
    /// The text of comments, their slashes included.
    pub comments: Vec<String>,
    /// Whether a line belongs to an item under `#[cfg(test)]`.
    pub in_test: Vec<bool>,
}

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// The line of `fn`, from 0.
    pub first: usize,
    /// The line of the closing brace, from 0.
    pub last: usize,
}

impl Function {
    /// From the signature to the closing brace.
    pub fn lines(&self) -> usize {
        self.last - self.first + 1
    }
}

#[derive(Clone, Copy)]
enum Within {
    Code,
    LineComment,
    BlockComment(u32),
    Text { hashes: Option<usize> },
}

impl Source {
    /// Takes `text` apart.
    pub fn new(text: &str) -> Source {
        let mut lexer = Lexer { chars: text.chars().collect(), ..Lexer::default() };
        lexer.run();
        let lines = |text: String| text.split('\n').map(str::to_owned).collect::<Vec<_>>();
        let code = lines(lexer.code);
        let in_test = test_lines(&code);
        Source { in_test, code, plain: lines(lexer.plain), comments: lines(lexer.comments) }
    }

    /// The lines that count for the length of a file: without test items and without an empty last line.
    pub fn product_lines(&self) -> usize {
        let all = self.in_test.iter().filter(|&&is_test| !is_test).count();
        all - usize::from(self.code.last().is_some_and(String::is_empty))
    }

    /// The functions with a body, in order; a function inside another counts for both.
    pub fn functions(&self) -> Vec<Function> {
        let text = Text::new(&self.code);
        let mut functions = Vec::new();
        for start in text.words("fn") {
            let name: String = text.chars[start + 2..]
                .iter()
                .skip_while(|c| **c == ' ')
                .take_while(|c| is_word(**c))
                .collect();
            if name.is_empty() {
                continue;
            }
            if let Some(end) = text.item_end(start).filter(|&end| text.chars[end] == '}') {
                functions.push(Function { name, first: text.line(start), last: text.line(end) });
            }
        }
        functions
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[derive(Default)]
struct Lexer {
    chars: Vec<char>,
    at: usize,
    code: String,
    plain: String,
    comments: String,
}

impl Lexer {
    fn run(&mut self) {
        let mut within = Within::Code;
        while self.at < self.chars.len() {
            within = match within {
                Within::Code => self.step_code(),
                Within::LineComment => self.step_line_comment(),
                Within::BlockComment(depth) => self.step_block_comment(depth),
                Within::Text { hashes } => self.step_text(hashes),
            };
        }
    }

    fn peek(&self, ahead: usize) -> char {
        self.chars.get(self.at + ahead).copied().unwrap_or('\0')
    }

    fn step_code(&mut self) -> Within {
        match (self.peek(0), self.peek(1)) {
            ('/', '/') => return Within::LineComment,
            ('/', '*') => {
                self.put_comment(2);
                return Within::BlockComment(1);
            }
            ('"', _) => {
                self.put_code(1);
                return Within::Text { hashes: None };
            }
            ('r', '"' | '#') if !self.follows_word() => {
                let hashes = self.chars[self.at + 1..].iter().take_while(|c| **c == '#').count();
                if self.peek(1 + hashes) == '"' {
                    self.put_code(2 + hashes);
                    return Within::Text { hashes: Some(hashes) };
                }
                self.put_code(1);
            }
            ('\'', _) => self.step_quote(),
            _ => self.put_code(1),
        }
        Within::Code
    }

    /// A raw string's `r` may follow `b` or `c`, but not the rest of a name.
    fn follows_word(&self) -> bool {
        let before = |back: usize| self.at.checked_sub(back).map_or(' ', |at| self.chars[at]);
        is_word(before(1)) && (is_word(before(2)) || !matches!(before(1), 'b' | 'c'))
    }

    /// A character, or a lifetime.
    fn step_quote(&mut self) {
        let is_escape = self.peek(1) == '\\';
        if !is_escape && self.peek(2) != '\'' {
            return self.put_code(1);
        }
        let from = if is_escape { 3 } else { 2 };
        let rest = self.chars.get(self.at + from..).unwrap_or_default();
        let inside = from - 1 + rest.iter().take_while(|c| **c != '\'' && **c != '\n').count();
        self.put_code(1);
        self.put_literal(inside);
        self.put_code(1);
    }

    fn step_text(&mut self, hashes: Option<usize>) -> Within {
        let is_end = self.peek(0) == '"' && (1..=hashes.unwrap_or(0)).all(|ahead| self.peek(ahead) == '#');
        if is_end {
            self.put_code(1 + hashes.unwrap_or(0));
            return Within::Code;
        }
        let is_escape = hashes.is_none() && self.peek(0) == '\\';
        self.put_literal(if is_escape { 2 } else { 1 });
        Within::Text { hashes }
    }

    fn step_line_comment(&mut self) -> Within {
        if self.peek(0) == '\n' {
            self.put_code(1);
            return Within::Code;
        }
        self.put_comment(1);
        Within::LineComment
    }

    fn step_block_comment(&mut self, depth: u32) -> Within {
        match (self.peek(0), self.peek(1)) {
            ('/', '*') => {
                self.put_comment(2);
                Within::BlockComment(depth + 1)
            }
            ('*', '/') => {
                self.put_comment(2);
                if depth == 1 { Within::Code } else { Within::BlockComment(depth - 1) }
            }
            _ => {
                self.put_comment(1);
                Within::BlockComment(depth)
            }
        }
    }

    fn put_code(&mut self, count: usize) {
        self.put(count, [true, true, false]);
    }

    fn put_literal(&mut self, count: usize) {
        self.put(count, [false, true, false]);
    }

    fn put_comment(&mut self, count: usize) {
        self.put(count, [false, false, true]);
    }

    fn put(&mut self, count: usize, [code, plain, comment]: [bool; 3]) {
        for _ in 0..count {
            let Some(&c) = self.chars.get(self.at) else { return };
            self.at += 1;
            let shown = |is_shown: bool| if is_shown || c == '\n' { c } else { ' ' };
            self.code.push(shown(code));
            self.plain.push(shown(plain));
            self.comments.push(shown(comment));
        }
    }
}

/// Code as one text, with the line of each character.
struct Text {
    chars: Vec<char>,
    lines: Vec<usize>,
}

impl Text {
    fn new(code: &[String]) -> Text {
        let (mut chars, mut lines) = (Vec::new(), Vec::new());
        for (number, line) in code.iter().enumerate() {
            for c in line.chars().chain(['\n']) {
                chars.push(c);
                lines.push(number);
            }
        }
        Text { chars, lines }
    }

    fn line(&self, at: usize) -> usize {
        self.lines[at]
    }

    /// Where `word` stands by itself.
    fn words(&self, word: &str) -> Vec<usize> {
        let word: Vec<char> = word.chars().collect();
        (0..self.chars.len())
            .filter(|&at| self.chars[at..].starts_with(&word))
            .filter(|&at| at == 0 || !is_word(self.chars[at - 1]))
            .filter(|&at| self.chars.get(at + word.len()).is_some_and(|c| !is_word(*c)))
            .collect()
    }

    /// The end of the item that starts here: its semicolon, or the brace that closes its first block.
    fn item_end(&self, start: usize) -> Option<usize> {
        let (mut braces, mut others) = (0_i32, 0_i32);
        for at in start..self.chars.len() {
            match self.chars[at] {
                '(' | '[' => others += 1,
                ')' | ']' => others -= 1,
                '{' => braces += 1,
                '}' => {
                    braces -= 1;
                    if braces == 0 && others == 0 {
                        return Some(at);
                    }
                }
                ';' if braces == 0 && others == 0 => return Some(at),
                _ => {}
            }
        }
        None
    }
}

fn test_lines(code: &[String]) -> Vec<bool> {
    let text = Text::new(code);
    let mut is_test = vec![false; code.len()];
    for (number, line) in code.iter().enumerate() {
        let line = line.trim_start();
        let is_attribute = line.starts_with("#[cfg(test)]") || line.starts_with("#[cfg(all(test");
        if !is_attribute || is_test[number] {
            continue;
        }
        let start = text.lines.iter().position(|at| *at == number).unwrap_or(0);
        let end = text.item_end(start).map_or(code.len() - 1, |end| text.line(end));
        is_test[number..=end].fill(true);
    }
    is_test
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_leave_the_code() {
        let source =
            Source::new("let a = \"x // y\"; // z \"q\"\nlet b = r#\"fn \"quoted\" {\"#;/* { /* } */ */ c");
        assert_eq!(source.code[0].trim_end(), "let a = \"      \";");
        assert_eq!(source.plain[0].trim_end(), "let a = \"x // y\";");
        assert_eq!(source.comments[0].trim(), "// z \"q\"");
        assert!(source.code[1].ends_with(" c") && !source.code[1].contains('{'));
    }

    #[test]
    fn characters_are_not_lifetimes() {
        let source =
            Source::new("fn f<'a>(c: &'a char) -> bool { *c == '{' || *c == '\\'' || *c == '\"' }\nend");
        assert_eq!(source.functions().len(), 1);
        assert_eq!(source.code[1], "end");
        assert!(!source.code[0].contains("{'"));
    }

    #[test]
    fn functions_are_measured_from_signature_to_brace() {
        let source = Source::new(
            "trait T {\n    fn none(&self);\n    fn one(\n        &self,\n    ) {\n    }\n}\ntype F = fn(u8);",
        );
        assert_eq!(source.functions(), [Function { name: "one".to_owned(), first: 2, last: 5 }]);
        assert_eq!(source.functions()[0].lines(), 4);
    }

    #[test]
    fn test_items_do_not_count() {
        let source = Source::new(
            "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n#[cfg(test)]\nmod more;\n",
        );
        assert_eq!(source.product_lines(), 2);
        assert_eq!(source.in_test, [false, true, true, true, true, false, true, true, false]);
    }
}
