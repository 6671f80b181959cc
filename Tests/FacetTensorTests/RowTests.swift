import FacetTensor
import Testing

@Suite("Gathers and pictures")
struct RowTests {
    @Test("gatherRows copies and converts rows and leaves rows with a negative index", arguments: BackendUnderTest.all)
    func gather(_ path: BackendUnderTest) throws {
        let backend = try path.make()
        for (table, result) in [
            (DType.bfloat16, DType.float32), (.bfloat16, .bfloat16), (.float32, .float32), (.float16, .bfloat16),
        ] {
            let source = try backend.random([6, 37], table, seed: 1)
            let y = try backend.random([4, 37], result, seed: 2)
            var expected = try backend.values(y)
            let rounded = try backend.values(
                backend.tensor(backend.values(source).map { Float($0) }, [6, 37], result))
            let indices: [Int32] = [5, -1, 0, 5]
            for (row, index) in indices.enumerated() where index >= 0 {
                expected.replaceSubrange(
                    row * 37..<(row + 1) * 37, with: rounded[Int(index) * 37..<(Int(index) + 1) * 37])
            }
            try backend.gatherRows(source, backend.tensor(indices: indices), into: y)
            #expect(try backend.values(y) == expected)
        }
    }

    @Test("patchify orders patches by row and their elements by channel, row, column", arguments: BackendUnderTest.all)
    func patchify(_ path: BackendUnderTest) throws {
        let backend = try path.make()
        let (images, channels, side, patch) = (2, 3, 12, 4), grid = 3
        // Numbers below 256 are exact in bfloat16.
        let numbers = (0..<images * channels * side * side).map { Float($0 % 251) }
        let pixels = try backend.tensor(numbers, [images, channels, side, side])
        for dtype in [DType.float32, .bfloat16] {
            let y = try backend.allocate([images * grid * grid, channels * patch * patch], dtype, label: "y")
            try backend.patchify(pixels, patch: patch, into: y)
            var expected: [Double] = []
            for image in 0..<images {
                for cell in 0..<grid * grid {
                    for channel in 0..<channels {
                        for row in 0..<patch {
                            for column in 0..<patch {
                                let line = (image * channels + channel) * side + cell / grid * patch + row
                                expected.append(Double(numbers[line * side + cell % grid * patch + column]))
                            }
                        }
                    }
                }
            }
            #expect(try backend.values(y) == expected)
        }
    }

    @Test("gatherNeighborhoods orders a cell's columns by channel, row, column", arguments: BackendUnderTest.all)
    func neighborhoods(_ path: BackendUnderTest) throws {
        let backend = try path.make()
        let (side, channels) = (6, 5)
        for dtype in [DType.float32, .bfloat16] {
            let grid = try backend.random([side * side, channels], dtype, seed: 1)
            let y = try backend.allocate([9, 4 * channels], dtype, label: "y")
            try backend.gatherNeighborhoods(grid, side: side, into: y)
            let cells = try backend.values(grid)
            var expected: [Double] = []
            for cell in 0..<9 {
                for channel in 0..<channels {
                    for row in 0..<2 {
                        for column in 0..<2 {
                            let source = (cell / 3 * 2 + row) * side + cell % 3 * 2 + column
                            expected.append(cells[source * channels + channel])
                        }
                    }
                }
            }
            #expect(try backend.values(y) == expected)
        }
    }
}
