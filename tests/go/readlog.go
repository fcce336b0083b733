// Reads a log folder with golang.org/x/mod/sumdb alone: the note, every hash tile, every record's inclusion, and growth from every size.
// Usage: readlog FOLDER|http://ADDRESS VKEY
package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

var asked = map[string][]byte{}

type files struct{ folder string }

func (f files) read(path string) ([]byte, error) {
	if !strings.HasPrefix(f.folder, "http://") {
		return os.ReadFile(filepath.Join(f.folder, path))
	}
	if data, ok := asked[path]; ok {
		return data, nil
	}
	answer, err := http.Get(f.folder + "/" + path)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != 200 {
		return nil, fmt.Errorf("status %d for %s", answer.StatusCode, path)
	}
	data, err := io.ReadAll(answer.Body)
	asked[path] = data
	return data, err
}

func (f files) Height() int { return 8 }

func (f files) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, t := range tiles {
		// tlog-tiles paths leave out the height, which is always 8: tile/8/0/x -> tile/0/x
		path := "tile/" + strings.TrimPrefix(t.Path(), "tile/8/")
		data, err := f.read(path)
		if err != nil {
			return nil, err
		}
		out = append(out, data)
	}
	return out, nil
}

func (f files) SaveTiles(tiles []tlog.Tile, data [][]byte) {}

func check(err error) {
	if err != nil {
		fmt.Println("refused:", err)
		os.Exit(1)
	}
}

func main() {
	folder := os.Args[1]
	verifier, err := note.NewVerifier(os.Args[2])
	check(err)
	data, err := files{folder}.read("checkpoint")
	check(err)
	opened, err := note.Open(data, note.VerifierList(verifier))
	check(err)
	lines := strings.Split(opened.Text, "\n")
	var size int64
	fmt.Sscan(lines[1], &size)
	root, err := tlog.ParseHash(lines[2])
	check(err)
	tree := tlog.Tree{N: size, Hash: root}
	reader := tlog.TileHashReader(tree, files{folder})
	input := bufio.NewScanner(os.Stdin)
	input.Buffer(make([]byte, 1<<20), 1<<20)
	for n := int64(0); n < size; n++ {
		if !input.Scan() {
			check(fmt.Errorf("too few records"))
		}
		proof, err := tlog.ProveRecord(size, n, reader)
		check(err)
		check(tlog.CheckRecord(proof, size, root, n, tlog.RecordHash(input.Bytes())))
	}
	for n := int64(1); n <= size; n++ {
		old, err := tlog.TreeHash(n, reader)
		check(err)
		proof, err := tlog.ProveTree(size, n, reader)
		check(err)
		check(tlog.CheckTree(proof, size, root, n, old))
	}
	fmt.Println("accepted", size)
}
