package main

import (
	"encoding"
	"encoding/base64"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"time"
)

// picture returns the plain JSON of a value, as the program `silverback decode` prints it: fields
// that gob leaves out of a struct are left out. name is the registered name if the value is in an
// interface.
func picture(v reflect.Value, name string) interface{} {
	if !v.IsValid() {
		return nil
	}
	if v.Kind() == reflect.Interface {
		if v.IsNil() {
			return nil
		}
		return picture(v.Elem(), registeredName(v.Elem().Type()))
	}
	if when, ok := v.Interface().(time.Time); ok {
		return when.Format(time.RFC3339Nano)
	}
	if content, ok := selfEncoded(v.Interface()); ok {
		if name == "" {
			name = v.Type().Name()
		}
		return map[string]interface{}{"$type": name, "$bytes": base64.StdEncoding.EncodeToString(content)}
	}
	switch v.Kind() {
	case reflect.Pointer:
		return picture(v.Elem(), name)
	case reflect.Float32, reflect.Float64:
		if name == "" { // only a registered name says that a float has 32 bits
			return float(v.Float(), v.Float())
		}
		return float(v.Float(), v.Interface())
	case reflect.Complex64, reflect.Complex128:
		c := v.Complex()
		if v.Kind() == reflect.Complex64 {
			return []interface{}{float(real(c), float32(real(c))), float(imag(c), float32(imag(c)))}
		}
		return []interface{}{float(real(c), real(c)), float(imag(c), imag(c))}
	case reflect.Slice, reflect.Array:
		if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
			return base64.StdEncoding.EncodeToString(v.Bytes())
		}
		list := []interface{}{}
		for i := 0; i < v.Len(); i++ {
			list = append(list, picture(v.Index(i), ""))
		}
		return list
	case reflect.Map:
		object := map[string]interface{}{}
		for _, key := range v.MapKeys() {
			object[keyText(picture(key, ""))] = picture(v.MapIndex(key), "")
		}
		return object
	case reflect.Struct:
		object := map[string]interface{}{}
		for i := 0; i < v.NumField(); i++ {
			if field := v.Type().Field(i); field.IsExported() && !leftOut(v.Field(i)) {
				object[field.Name] = picture(v.Field(i), "")
			}
		}
		return object
	}
	return v.Interface()
}

func selfEncoded(value interface{}) ([]byte, bool) {
	switch encoder := value.(type) {
	case gob.GobEncoder:
		content, _ := encoder.GobEncode()
		return content, true
	case encoding.BinaryMarshaler:
		content, _ := encoder.MarshalBinary()
		return content, true
	}
	return nil, false
}

func registeredName(t reflect.Type) string {
	if t.PkgPath() == "" {
		return t.String()
	}
	return t.PkgPath() + "." + t.Name()
}

// float keeps the width, which determines the shortest digits.
func float(f float64, sized interface{}) interface{} {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "+Inf"
	case math.IsInf(f, -1):
		return "-Inf"
	}
	return sized
}

func keyText(key interface{}) string {
	if text, ok := key.(string); ok {
		return text
	}
	text, _ := json.Marshal(key)
	return string(text)
}

// leftOut returns whether gob leaves a field out: a zero value, except for arrays and structs.
func leftOut(v reflect.Value) bool {
	if _, ok := selfEncoded(v.Interface()); ok {
		return v.IsZero()
	}
	switch v.Kind() {
	case reflect.Array, reflect.Struct:
		return false
	case reflect.Slice:
		return v.Len() == 0
	case reflect.Pointer:
		return v.IsNil() || v.Elem().Kind() != reflect.Struct && leftOut(v.Elem())
	}
	return v.IsZero()
}

// pictureOf returns the JSON of a session's or row's gob.
func pictureOf(kind string, data []byte) ([]byte, error) {
	values, err := decodeGob(kind, data)
	if err != nil {
		return nil, err
	}
	drawn, ok := picture(reflect.ValueOf(values), "").(map[string]interface{})
	if !ok {
		return nil, fmt.Errorf("no map: %#v", values)
	}
	return json.Marshal(drawn)
}
