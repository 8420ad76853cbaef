package main

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand"
	"net/netip"
	"net/url"
	"reflect"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/google/uuid"
)

// Types that an application might keep in its sessions.
type (
	User struct {
		Name    string
		Age     int8
		Balance int64
		Tags    []string
		Boss    *User
		Meta    map[string]interface{}
		Seen    time.Time
		Ratio   float32
		Phase   complex64
		Grid    [3]uint16
		Any     interface{}
		hidden  int
	}
	Base struct {
		ID    uint32
		Flags []bool
	}
	Embedded struct {
		Base
		*User
		Extra map[int]string
	}
	UserID int
	Blob   []byte
	Roles  []string
	Level  uint16
	Point  struct{ X, Y float64 }
	Empty  struct{ Nothing int }
	// Member is also a struct of the Rust side.
	Member struct {
		Name string
		Age  int8
		Tags []string
		Grid [3]uint16
		Boss *Member
	}
	// Money encodes itself.
	Money struct{ cents int64 }
)

func (m Money) GobEncode() ([]byte, error) { return []byte(fmt.Sprint(m.cents)), nil }

func (m *Money) GobDecode(b []byte) error {
	_, err := fmt.Sscan(string(b), &m.cents)
	return err
}

// registerTypes registers the types with gob.
func registerTypes() {
	for _, value := range []interface{}{
		User{}, &Embedded{}, UserID(0), Blob{}, Roles{}, Point{}, Empty{}, Money{}, Member{},
		time.Time{}, netip.Addr{}, map[string]interface{}{}, map[int]string{}, map[string]string{},
		map[interface{}]interface{}{}, map[Point]int{}, []interface{}{}, [2]byte{}, [][]int{}, []Point{},
		[]*Point{}, map[string][]byte{}, time.Duration(0), url.Values{}, [16]byte{}, Level(0), &big.Int{}, uuid.UUID{},
	} {
		gob.Register(value)
	}
}

// randomValue returns a random value for a session; depth limits the nesting.
func randomValue(r *rand.Rand, depth int) interface{} {
	nested := func() interface{} { return randomValue(r, depth-1) }
	simple := []func() interface{}{
		func() interface{} { return r.Intn(2) == 0 },
		func() interface{} { return int(r.Uint64()) },
		func() interface{} { return int8(r.Uint32()) },
		func() interface{} { return int16(r.Uint32()) },
		func() interface{} { return int32(r.Uint32()) },
		func() interface{} { return int64(r.Uint64() >> r.Intn(64)) },
		func() interface{} { return uint(r.Uint64()) },
		func() interface{} { return uint8(r.Uint32()) },
		func() interface{} { return uint64(r.Uint64() >> r.Intn(64)) },
		func() interface{} { return float32(r.NormFloat64()) },
		func() interface{} { return r.NormFloat64() * math.Pow(10, float64(r.Intn(40)-20)) },
		func() interface{} { return math.Inf(r.Intn(2)*2 - 1) },
		func() interface{} { return math.Copysign(0, -1) },
		func() interface{} { return complex(r.NormFloat64(), 0) },
		func() interface{} { return randomString(r) },
		func() interface{} { return []byte(randomString(r)) },
		func() interface{} { return Blob(randomString(r)) },
		func() interface{} { return UserID(r.Intn(100)) },
		func() interface{} { return Level(r.Intn(100)) },
		func() interface{} { return time.Duration(r.Int63()) },
		func() interface{} { return url.Values{"q": {randomString(r), ""}} },
		func() interface{} { return [16]byte{byte(r.Intn(256)), 7} },
		func() interface{} { return uuid.UUID{byte(r.Intn(256)), 7} },
		func() interface{} { return big.NewInt(r.Int63() - 1<<62) },
		func() interface{} { return Money{r.Int63()} },
		func() interface{} { return randomTime(r) },
		func() interface{} { return netip.AddrFrom4([4]byte{127, 0, 0, byte(r.Intn(256))}) },
		func() interface{} { return Point{r.Float64(), 0} },
		func() interface{} { return Empty{} },
		func() interface{} { return [2]byte{0, byte(r.Intn(256))} },
		func() interface{} { return [][]int{{}, {1, r.Intn(300)}} },
		func() interface{} { return Roles{randomString(r), ""} },
		func() interface{} { return []string{randomString(r), ""} },
		func() interface{} { return []int64{0, r.Int63(), -1} },
		func() interface{} { return map[int]string{r.Intn(9): randomString(r), -1: ""} },
		func() interface{} { return map[string]string{randomString(r): randomString(r)} },
		func() interface{} { return map[Point]int{{1, 2}: r.Intn(9), {}: 0} },
		func() interface{} { return map[string][]byte{"": {}, "k": {0, 255}} },
		func() interface{} { return []Point{{}, {1, r.Float64()}} },
		func() interface{} { return []*Point{{}, {1, r.Float64()}} },
	}
	deep := []func() interface{}{
		func() interface{} { return []interface{}{nested(), nil, nested()} },
		func() interface{} { return map[string]interface{}{randomString(r): nested(), "nil": nil} },
		func() interface{} {
			// The letter distinguishes the JSON of a string from that of an int.
			return map[interface{}]interface{}{r.Intn(9): nested(), "s" + randomString(r): nested(), Point{1, 1}: nil}
		},
		func() interface{} { return randomUser(r, depth-1) },
		func() interface{} {
			user := randomUser(r, depth-1)
			return &Embedded{Base{r.Uint32(), []bool{true, false}}, &user, map[int]string{1: "one"}}
		},
	}
	if depth > 0 && r.Intn(2) == 0 {
		return deep[r.Intn(len(deep))]()
	}
	return simple[r.Intn(len(simple))]()
}

func randomUser(r *rand.Rand, depth int) User {
	user := User{
		Name: randomString(r), Age: int8(r.Intn(256)), Balance: int64(r.Uint64()), Seen: randomTime(r),
		Ratio: float32(r.Intn(2)) / 3, Phase: complex(0, float32(r.Intn(2))), Grid: [3]uint16{0, uint16(r.Intn(70)), 0},
	}
	if depth > 0 {
		boss := randomUser(r, depth-1)
		user.Boss = &boss
		user.Tags = []string{randomString(r), ""}
		user.Meta = map[string]interface{}{"m": randomValue(r, depth-1), "": nil}
		user.Any = randomValue(r, depth-1)
	}
	return user
}

func randomString(r *rand.Rand) string {
	alphabet := []string{"a", "Z", "0", "é", "漢", "🦍", "\x00", "\xff", "|", "\"", "<", "\n", " "}
	text := ""
	for n := r.Intn(12); n > 0; n-- {
		text += alphabet[r.Intn(len(alphabet))]
	}
	return text
}

func randomTime(r *rand.Rand) time.Time {
	when := time.Unix(r.Int63n(4e9)-1e9, r.Int63n(1e9))
	switch r.Intn(3) {
	case 0:
		return when.UTC()
	case 1:
		return time.Time{}
	}
	return when.In(time.FixedZone("", (r.Intn(53)-26)*1800))
}

// basicSession returns a session of types that gob, or gorilla/sessions, registers itself.
func basicSession(r *rand.Rand) map[interface{}]interface{} {
	session := map[interface{}]interface{}{}
	for n, value := range []interface{}{
		r.Intn(2) == 0, int(r.Uint64()), int8(r.Uint32()), int16(r.Uint32()), int32(r.Uint32()),
		int64(r.Uint64()), uint(r.Uint64()), uint8(r.Uint32()), uint16(r.Uint32()), r.Uint32(), r.Uint64(),
		float32(r.NormFloat64()), r.NormFloat64(), complex64(complex(r.NormFloat64(), 0)), complex(0, r.NormFloat64()),
		uintptr(r.Uint32()), randomString(r), []byte(randomString(r)), []string{randomString(r), ""}, []int{r.Int(), -1},
		[]int8{int8(r.Uint32())}, []uint16{uint16(r.Uint32())}, []float32{float32(r.NormFloat64())}, []bool{true, false},
		[]interface{}{randomString(r), r.Intn(9), int8(r.Uint32()), nil},
	} {
		if r.Intn(4) > 0 {
			session[fmt.Sprint("key ", n)] = value
		}
	}
	return session
}

// typesOf returns the type of each value.
func typesOf(session map[interface{}]interface{}) map[string]string {
	types := map[string]string{}
	for key, value := range session {
		if key != "_session" {
			types[fmt.Sprintf("%T %v", key, key)] = fmt.Sprintf("%T", value)
		}
	}
	return types
}

// randomSession returns a gorilla session's Values.
func randomSession(r *rand.Rand) map[interface{}]interface{} {
	session := map[interface{}]interface{}{"_flash": []interface{}{"hello", r.Intn(9)}, r.Intn(9): "an int key"}
	for n := r.Intn(6); n > 0; n-- {
		session[randomString(r)+"k"] = randomValue(r, 3)
	}
	return session
}

// randomValues returns the values of an scs session.
func randomValues(r *rand.Rand) map[string]interface{} {
	values := map[string]interface{}{}
	for key, value := range randomSession(r) {
		values[fmt.Sprint(key)] = value
	}
	return values
}

// makeGob encodes a random session or scs row.
func makeGob(asked request) ([]byte, error) {
	r := rand.New(rand.NewSource(asked.Seed))
	if asked.Kind == "scs" {
		values := randomValues(r)
		return scs.GobCodec{}.Encode(randomTime(r), values)
	}
	var out bytes.Buffer
	err := gob.NewEncoder(&out).Encode(randomSession(r))
	return out.Bytes(), err
}

// decodeGob reads a session's Values, or a scs row's as such with its deadline.
func decodeGob(kind string, data []byte) (map[interface{}]interface{}, error) {
	values := map[interface{}]interface{}{}
	if kind == "scs" {
		deadline, row, err := scs.GobCodec{}.Decode(data)
		for key, value := range row {
			values[key] = value
		}
		values["scs deadline"] = deadline
		return values, err
	}
	in := bytes.NewReader(data)
	if err := gob.NewDecoder(in).Decode(&values); err != nil {
		return nil, err
	}
	if in.Len() > 0 {
		return nil, errors.New("bytes are left over")
	}
	return values, nil
}

// sameBut reports differences of two sessions, except for one key, which must hold 42 afterwards.
func sameBut(changed string, before, after map[interface{}]interface{}) error {
	if changed != "" {
		if after[changed] != int64(42) {
			return fmt.Errorf("the changed key holds %#v", after[changed])
		}
		delete(before, changed)
		delete(after, changed)
	}
	delete(after, "_session") // Silverback's metadata of the session
	if !reflect.DeepEqual(before, after) {
		return fmt.Errorf("they differ:\n%#v\n%#v", before, after)
	}
	return nil
}
