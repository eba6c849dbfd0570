"""How PostgreSQL sorts rows for LIMIT and OFFSET, so that equal ones come in its very order.

Where the page ends in the first half of the rows it keeps the best so far in a heap; otherwise it
sorts all. Rows with equal keys come in an order that depends on where the page ends. After
tuplesort.c and sort_template.h of PostgreSQL 18; test_postgres.py compares the two.
"""

from collections.abc import Callable


def sort_page(rows: list, key: Callable, offset: int, limit: int) -> list:
    """The rows of a page, of rows in the order of the table."""
    end = offset + limit
    keyed = [(key(row), row) for row in rows]
    if len(keyed) > 2 * end:
        keyed = keep_first(keyed, end)
    else:
        sort(keyed, 0, len(keyed))
    return [row for _, row in keyed[offset:end]]


# --- The first rows: a heap with the last of them on top -----------------------------------------


def keep_first(rows: list, count: int) -> list:
    heap: list = []
    for row in rows:
        if len(heap) < count:
            insert(heap, row)
        elif row[0] < heap[0][0]:
            replace_top(heap, row)
    found = []
    while heap:
        found.append(heap[0])
        last = heap.pop()
        if heap:
            replace_top(heap, last)
    return found[::-1]


def insert(heap: list, row: tuple):
    place = len(heap)
    heap.append(row)
    while place and row[0] > heap[(place - 1) // 2][0]:
        heap[place] = heap[(place - 1) // 2]
        place = (place - 1) // 2
    heap[place] = row


def replace_top(heap: list, row: tuple):
    place = 0
    while (below := 2 * place + 1) < len(heap):
        if below + 1 < len(heap) and heap[below][0] < heap[below + 1][0]:
            below += 1
        if row[0] >= heap[below][0]:
            break
        heap[place] = heap[below]
        place = below
    heap[place] = row


# --- All rows: Bentley and McIlroy's quicksort ---------------------------------------------------


def sort(rows: list, start: int, end: int):
    """Sort rows[start:end] in place."""
    count = end - start
    if count < 7:
        for place in range(start + 1, end):
            while place > start and rows[place - 1][0] > rows[place][0]:
                swap(rows, place - 1, place, 1)
                place -= 1
        return
    if all(rows[n - 1][0] <= rows[n][0] for n in range(start + 1, end)):
        return
    swap(rows, start, choose_pivot(rows, start, end), 1)
    smaller, larger = partition(rows, start, end)
    sort(rows, start, start + smaller)
    sort(rows, end - larger, end)


def choose_pivot(rows: list, start: int, end: int) -> int:
    count = end - start
    first, middle, last = start, start + count // 2, end - 1
    if count > 40:
        step = count // 8
        first = median(rows, first, first + step, first + 2 * step)
        middle = median(rows, middle - step, middle, middle + step)
        last = median(rows, last - 2 * step, last - step, last)
    return median(rows, first, middle, last) if count > 7 else middle


def median(rows: list, a: int, b: int, c: int) -> int:
    of_a, of_b, of_c = rows[a][0], rows[b][0], rows[c][0]
    if of_a < of_b:
        return b if of_b < of_c else c if of_a < of_c else a
    return b if of_b > of_c else a if of_a < of_c else c


def partition(rows: list, start: int, end: int) -> tuple:
    """Bring rows to the left or right of the pivot, which is first; returns how many are smaller
    and how many larger. Equal ones are put aside at both ends, and into the middle at last."""
    pivot = rows[start][0]
    equal_left = left = start + 1
    equal_right = right = end - 1
    while True:
        while left <= right and rows[left][0] <= pivot:
            if rows[left][0] == pivot:
                swap(rows, equal_left, left, 1)
                equal_left += 1
            left += 1
        while left <= right and rows[right][0] >= pivot:
            if rows[right][0] == pivot:
                swap(rows, right, equal_right, 1)
                equal_right -= 1
            right -= 1
        if left > right:
            break
        swap(rows, left, right, 1)
        left, right = left + 1, right - 1
    smaller, larger = left - equal_left, equal_right - right
    count = min(equal_left - start, smaller)
    swap(rows, start, left - count, count)
    count = min(larger, end - equal_right - 1)
    swap(rows, left, end - count, count)
    return smaller, larger


def swap(rows: list, a: int, b: int, count: int):
    rows[a : a + count], rows[b : b + count] = rows[b : b + count], rows[a : a + count]
