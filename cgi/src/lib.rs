//! CGI/1.1 (RFC 3875): a request as variables, and a program's output as an answer.
