import t from 'tap'
import { classList, matchClasses } from '../../src/evaluation/match-classes.js'

t.test('names decide: another order, fewer classes, another spelling', (t) => {
  const model = ['person', 'traffic light', 'dog']
  t.same(matchClasses(model, model), { toModel: [0, 1, 2], unknown: [], remark: undefined })
  t.match(matchClasses(['dog', 'person', 'traffic light'], model), {
    toModel: [2, 0, 1],
    remark: /not in the order of the model/,
  })
  t.same(matchClasses(['dog'], model).toModel, [2])
  t.same(matchClasses(['Person', 'Traffic_Light', ' dog'], model).toModel, [0, 1, 2])
  t.end()
})

t.test('numbers for names are matched by index, where there are as many', (t) => {
  const model = ['nut', 'bolt']
  const byIndex = { toModel: [0, 1], unknown: [], remark: /no class names: classes are matched by index/ }
  t.match(matchClasses(['class_0', 'class_1'], model), byIndex)
  t.match(matchClasses(['0', '1'], model), byIndex)
  t.match(matchClasses(model, ['class0', 'class1']), byIndex)
  t.same(matchClasses(['class_0'], model).unknown, ['class_0'])
  t.end()
})

t.test('what the model does not have is named; a name that two classes have matches neither', (t) => {
  t.match(matchClasses(['nut', 'gear'], ['bolt', 'nut']), { toModel: [1, undefined], unknown: ['gear'] })
  t.same(matchClasses(['nut'], ['nut', 'bolt', 'nut']).unknown, ['nut'])
  t.same(matchClasses(['nut', 'nut'], ['nut', 'nut']).toModel, [0, 1], 'the same list is the same classes')
  t.end()
})

t.test('long lists are cut', (t) => {
  t.equal(classList(['nut']), '1 class (nut)')
  const letters = Array.from({ length: 14 }, (_, index) => String.fromCharCode(97 + index))
  t.equal(classList(letters), '14 classes (a, b, c, d, e, f, g, h, i, j, k, l, ...)')
  t.end()
})
