import FacetTensor
import Testing

@Suite("Tensors")
struct TensorTests {
    @Test("views of rows share memory")
    func rows() throws {
        let backend = try CPUBackend(threadCount: 1)
        let tensor = try backend.tensor([0, 1, 2, 3, 4, 5], [3, 2])
        try backend.scale(tensor.rows(1..<3), by: 10)
        #expect(try backend.values(tensor) == [0, 1, 20, 30, 40, 50])
        #expect(try backend.values(tensor.prefix([2])) == [0, 1])
        #expect(try backend.values(tensor.reshaped([2, 3]).rows(1..<2)) == [30, 40, 50])
    }

    @Test("allocated memory is zero")
    func allocation() throws {
        let backend = try CPUBackend(threadCount: 1)
        for count in [0, 1, 1000] {
            let tensor = try backend.allocate([count], .float32, label: "test")
            #expect(try backend.values(tensor).allSatisfy { $0 == 0 })
        }
    }

    @Test("a shape counts its elements and reads as a list")
    func shapes() {
        let shape: Shape = [3, 4, 5]
        #expect(shape.elementCount == 60)
        #expect(shape.rowElementCount == 20)
        #expect(shape.withRowCount(7) == [7, 4, 5])
        #expect(shape.description == "[3, 4, 5]")
        #expect(Shape([]).elementCount == 1)
    }
}
