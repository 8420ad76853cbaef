module silverback.example/shop

go 1.24.0

require (
	github.com/alexedwards/scs/postgresstore v0.0.0-20240316134038-7e11d57e8885
	github.com/alexedwards/scs/v2 v2.9.0
	github.com/antonlindstrom/pgstore v0.0.0-20220421113606-e3a6e3fed12a
	github.com/gorilla/sessions v1.4.0
	github.com/lib/pq v1.10.9
)

require github.com/gorilla/securecookie v1.1.2 // indirect
