module silverback.example/interop

go 1.21

require github.com/gorilla/securecookie v1.1.2
